package warehouse

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Names in the data directory. The link is what people and tools open.
const (
	publishedDir  = "published"
	publishedFile = "goodhour.duckdb"
	// buildingPrefix marks the folder of a run that has not been committed.
	buildingPrefix = ".building-"
	// publicationName is a folder's name: the time of its run in UTC, so that
	// names sort by time.
	publicationName = "20060102T150405.000000Z"
)

// PublishedLink is the path of the link to the newest published file.
func PublishedLink(data string) string { return filepath.Join(data, publishedFile) }

// Library keeps the published files of a data directory: it makes the next one,
// moves the link, hands out readers of the newest, and removes old files. Only
// the process that owns the warehouse has a Library; others use OpenReader.
//
// The link data/goodhour.duckdb stands on a whole file at every instant, a
// crash included: a file is written and closed in a folder of its own, which
// gets its final name, then is opened for reading, and only then the link moves
// by one rename. What a crash leaves is removed by the next OpenLibrary.
//
// The newest two files stay; older ones go when their last reader is released.
// Who has an older one open in another process keeps it: its bytes are freed
// when that process closes it.
type Library struct {
	data   string
	limits Limits
	log    *slog.Logger

	mu      sync.Mutex
	current *shelf   // nil before the first publication
	old     []*shelf // replaced, newest first
	closed  bool
}

// shelf is one published file and its readers in this process.
type shelf struct {
	name   string // of the folder
	reader *Reader
	users  int
	closed bool // the reader is
}

// ErrNotPublished says that there is no published file yet.
var ErrNotPublished = errors.New("nothing has been published yet: run the models first")

// errLibraryClosed is the answer after Close.
var errLibraryClosed = errors.New("the published files are closed")

// OpenLibrary opens the published files of a data directory, removes what
// crashed runs left, and opens the newest file if there is one.
func OpenLibrary(ctx context.Context, data string, limits Limits, log *slog.Logger) (*Library, error) {
	data, err := filepath.Abs(data)
	if err != nil {
		return nil, fmt.Errorf("open the published files: %w", err)
	}
	l := &Library{data: data, limits: limits, log: log}
	if err := os.MkdirAll(l.root(), 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of the published files: %w", err)
	}
	names, err := l.folders()
	if err != nil {
		return nil, err
	}
	newest, err := l.linked()
	if err != nil {
		return nil, err
	}
	if newest == "" && len(names) > 0 {
		// The crash came before the first link, or someone removed it.
		newest = names[len(names)-1]
	}
	if newest == "" {
		return l, l.clean(nil)
	}
	reader, err := OpenReader(ctx, filepath.Join(l.root(), newest, publishedFile), limits)
	if err != nil {
		return nil, fmt.Errorf("%w; remove the folder and run the models again", err)
	}
	l.current = &shelf{name: newest, reader: reader}
	keep := []string{newest}
	if at := slices.Index(names, newest); at > 0 {
		keep = append(keep, names[at-1])
		l.old = []*shelf{{name: names[at-1], closed: true}}
	}
	if err := errors.Join(l.clean(keep), l.link(newest)); err != nil {
		return nil, errors.Join(err, reader.Close())
	}
	return l, nil
}

func (l *Library) root() string { return filepath.Join(l.data, publishedDir) }

// folders lists the whole publications, oldest first.
func (l *Library) folders() ([]string, error) {
	entries, err := os.ReadDir(l.root())
	if err != nil {
		return nil, fmt.Errorf("list the published files: %w", err)
	}
	var names []string
	for _, entry := range entries { // sorted by name
		if _, err := time.Parse(publicationName, entry.Name()); err == nil {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

// linked is the folder that the link stands on; empty where there is no link,
// or it stands on nothing.
func (l *Library) linked() (string, error) {
	target, err := os.Readlink(PublishedLink(l.data))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("%s must be goodhour's link to the newest published file: move it away: %w", PublishedLink(l.data), err)
	}
	name := filepath.Base(filepath.Dir(target))
	_, nameErr := time.Parse(publicationName, name)
	_, fileErr := os.Stat(filepath.Join(l.root(), name, publishedFile))
	if nameErr != nil || fileErr != nil {
		return "", nil //nolint:nilerr // the link hangs in the air
	}
	return name, nil
}

// clean removes every folder of ours that is not to be kept.
func (l *Library) clean(keep []string) error {
	entries, err := os.ReadDir(l.root())
	if err != nil {
		return fmt.Errorf("list the published files: %w", err)
	}
	for _, entry := range entries {
		name := entry.Name()
		_, err := time.Parse(publicationName, strings.TrimPrefix(name, buildingPrefix))
		if err != nil || slices.Contains(keep, name) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(l.root(), name)); err != nil {
			return fmt.Errorf("remove an old published file: %w", err)
		}
	}
	return nil
}

// link puts the link on a publication: a new link takes the old one's place in
// one rename. It is relative, so the data directory can be moved.
func (l *Library) link(name string) error {
	temp := filepath.Join(l.data, "."+publishedFile+"-"+rand.Text())
	if err := os.Symlink(filepath.Join(publishedDir, name, publishedFile), temp); err != nil {
		return fmt.Errorf("link the published file: %w", err)
	}
	if err := os.Rename(temp, PublishedLink(l.data)); err != nil {
		return errors.Join(fmt.Errorf("link the published file: %w", err), os.Remove(temp))
	}
	// A rename that a crash undoes leaves the link on the file before, which stays.
	_ = syncDir(l.data)
	return nil
}

// Acquire returns the reader of the newest file. It stays good until release is
// called, once, whatever is published meanwhile; do not Close it.
func (l *Library) Acquire() (reader *Reader, release func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return nil, nil, errLibraryClosed
	case l.current == nil:
		return nil, nil, ErrNotPublished
	}
	s := l.current
	s.users++
	return s.reader, sync.OnceFunc(func() { l.release(s) }), nil
}

func (l *Library) release(s *shelf) {
	l.mu.Lock()
	s.users--
	closing := l.retire()
	l.mu.Unlock()
	l.discard(closing)
}

// retire takes the shelves that have become useless out of the old ones: their
// readers are to be closed, and their files removed from the second on.
func (l *Library) retire() []retired {
	var out []retired
	var stay []*shelf
	for i, s := range l.old {
		if s.users > 0 {
			stay = append(stay, s)
			continue
		}
		r := retired{shelf: s, remove: i > 0}
		if !s.closed {
			s.closed = true
			r.close = true
		}
		if r.close || r.remove {
			out = append(out, r)
		}
		if !r.remove {
			stay = append(stay, s)
		}
	}
	l.old = stay
	return out
}

type retired struct {
	*shelf
	close, remove bool
}

// discard closes and removes outside the lock. What cannot be removed now goes
// at the next start, so it is only told.
func (l *Library) discard(shelves []retired) {
	for _, s := range shelves {
		var err error
		if s.close {
			err = s.reader.Close()
		}
		if s.remove {
			err = errors.Join(err, os.RemoveAll(filepath.Join(l.root(), s.name)))
		}
		if err != nil {
			l.log.Warn("an old published file stays until the next start", "publication", s.name, "error", err)
		}
	}
}

// Close closes the newest reader when its users have released it, and hands out
// no more. The files and the link stay.
func (l *Library) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	if l.current != nil {
		l.old = append(l.old, l.current)
	}
	var closing []*Reader
	for _, s := range l.old {
		if !s.closed {
			s.closed = true
			closing = append(closing, s.reader)
		}
	}
	l.old, l.current = nil, nil
	l.mu.Unlock()
	var err error
	for _, reader := range closing {
		err = errors.Join(err, reader.Close())
	}
	return err
}

// Publication is a file being made. It ends with Commit or Abort.
type Publication struct {
	library *Library
	name    string
	done    bool
}

// New reserves the folder of the next publication. now is the time of its run.
func (l *Library) New(now time.Time) (*Publication, error) {
	names, err := l.folders()
	if err != nil {
		return nil, err
	}
	// A clock that stands still or went back must not make an older name.
	if len(names) > 0 {
		newest, err := time.Parse(publicationName, names[len(names)-1])
		if err != nil {
			return nil, err
		}
		if !now.After(newest) {
			now = newest.Add(time.Microsecond)
		}
	}
	for {
		p := &Publication{library: l, name: now.UTC().Format(publicationName)}
		err := os.Mkdir(p.building(), 0o755)
		if err == nil {
			return p, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("make the folder of a publication: %w", err)
		}
		now = now.Add(time.Microsecond)
	}
}

func (p *Publication) building() string {
	return filepath.Join(p.library.root(), buildingPrefix+p.name)
}

// Path is where the file is to be made: DB.Copy makes it, OpenBuild opens it.
func (p *Publication) Path() string { return filepath.Join(p.building(), publishedFile) }

// Commit publishes the file, which must be closed and described (see Describe):
// new queries see it from now on, running ones go on in the old one. After an
// error the old file stays published and this one is gone.
func (p *Publication) Commit(ctx context.Context) (Info, error) {
	if p.done {
		return Info{}, errors.New("this publication has ended")
	}
	l := p.library
	reader, err := p.finish(ctx)
	if err != nil {
		return Info{}, errors.Join(fmt.Errorf("publish %s: %w", p.name, err), p.Abort())
	}
	p.done = true
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return Info{}, errors.Join(errLibraryClosed, reader.Close())
	}
	if l.current != nil {
		l.old = append([]*shelf{l.current}, l.old...)
	}
	l.current = &shelf{name: p.name, reader: reader}
	closing := l.retire()
	l.mu.Unlock()
	l.discard(closing)
	return reader.Info(), nil
}

// finish makes the file durable, gives its folder the final name, opens it and
// moves the link.
func (p *Publication) finish(ctx context.Context) (_ *Reader, err error) {
	if _, err := os.Stat(p.Path() + ".wal"); !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("the file is still open for building, or was not closed properly")
	}
	// Read-only for everyone: a person who opens it without saying read-only is
	// told so instead of locking the others out.
	if err := os.Chmod(p.Path(), 0o444); err != nil {
		return nil, err
	}
	final := filepath.Join(p.library.root(), p.name)
	if err := errors.Join(syncFile(p.Path()), syncDir(p.building())); err != nil {
		return nil, err
	}
	if err := os.Rename(p.building(), final); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(final))
		}
	}()
	if err := syncDir(p.library.root()); err != nil {
		return nil, err
	}
	reader, err := OpenReader(ctx, filepath.Join(final, publishedFile), p.library.limits)
	if err != nil {
		return nil, err
	}
	if err := p.library.link(p.name); err != nil {
		return nil, errors.Join(err, reader.Close())
	}
	return reader, nil
}

// Abort removes what was made. After a Commit it does nothing, so it can be deferred.
func (p *Publication) Abort() error {
	if p.done {
		return nil
	}
	p.done = true
	if err := os.RemoveAll(p.building()); err != nil {
		return fmt.Errorf("remove an unfinished publication: %w", err)
	}
	return nil
}

// spillDir is a folder for one instance's temporary files: DuckDB makes it when
// it first spills, and removes it.
func spillDir(dir string) string { return filepath.Join(dir, ".spill-"+rand.Text()) }
