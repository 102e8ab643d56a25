package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/goodhour/goodhour/warehouse"
)

// ownModels is the analyst's folder; nil where none is configured.
func ownModels(cfg *Config) (fs.FS, error) {
	dir := cfg.Models.Dir
	if dir == "" {
		return nil, nil
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("models.dir: %s is not a folder; make it, or remove the setting", dir)
	}
	return os.DirFS(dir), nil
}

// withoutUnsafe leaves out the files whose SQL does what DuckDB would let it do
// and what would hurt this process (see warehouse.CheckSQL), and says why by
// their names.
func withoutUnsafe(own fs.FS) (fs.FS, map[string]string, error) {
	reasons := make(map[string]string)
	if own == nil {
		return nil, reasons, nil
	}
	err := fs.WalkDir(own, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(name, ".sql") {
			return err
		}
		text, err := fs.ReadFile(own, name)
		if err != nil {
			return err
		}
		if refused, ok := errors.AsType[*warehouse.QueryError](warehouse.CheckSQL(string(text))); ok {
			reasons[name] = refused.Error()
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read the models in models.dir: %w", err)
	}
	return hidingFS{own, reasons}, reasons, nil
}

// hidingFS is a folder without some of its files.
type hidingFS struct {
	fs.FS
	hidden map[string]string
}

// Open opens a file that is not hidden.
func (f hidingFS) Open(name string) (fs.File, error) {
	if _, hidden := f.hidden[name]; hidden {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return f.FS.Open(name)
}

// ReadDir lists a folder without the hidden files.
func (f hidingFS) ReadDir(dir string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(f.FS, dir)
	prefix := ""
	if dir != "." {
		prefix = dir + "/"
	}
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool {
		_, hidden := f.hidden[prefix+e.Name()]
		return hidden
	}), err
}
