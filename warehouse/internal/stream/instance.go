package stream

import (
	"context"
	"errors"
	"fmt"

	bindings "github.com/duckdb/duckdb-go-bindings"
)

// Setting is one option of an instance.
type Setting struct{ Name, Value string }

// Options say how an instance is opened.
type Options struct {
	// Settings are given to DuckDB at the opening.
	Settings []Setting
	// Setup runs once, before the sessions are made.
	Setup []string
	// Session runs in every session.
	Session []string
	// Seal runs last: it locks the configuration.
	Seal []string
	// Sessions is how many sessions the instance can hand out in its life: once
	// the configuration is locked, none could be given its own settings.
	Sessions int
}

// Instance is a DuckDB instance on a file, of its own: not shared with one that
// the driver has open on the same path.
type Instance struct {
	db       bindings.Database
	control  *Conn
	sessions []*Conn // not handed out yet
}

// bufferSize is how much of a result DuckDB prepares before it is asked for.
// DuckDB 1.5 does not count the texts in it: at the default of 976 KiB, rows
// with a text of 50 kB each took 3.4 GB, at this size 24 MB, as fast.
const bufferSize = "set streaming_buffer_size = '1KB'"

// Open opens the file; ":memory:" opens none.
func Open(ctx context.Context, path string, options Options) (*Instance, error) {
	var config bindings.Config
	if bindings.CreateConfig(&config) == bindings.StateError {
		return nil, errors.New("DuckDB gave no memory for a configuration")
	}
	defer bindings.DestroyConfig(&config)
	for _, s := range options.Settings {
		if bindings.SetConfig(config, s.Name, s.Value) == bindings.StateError {
			return nil, fmt.Errorf("DuckDB refused the setting %s = %s", s.Name, s.Value)
		}
	}
	i := &Instance{}
	var message string
	if bindings.OpenExt(path, &i.db, config, &message) == bindings.StateError {
		bindings.Close(&i.db)
		return nil, ParseError(message)
	}
	if err := i.prepare(ctx, options); err != nil {
		i.Close()
		return nil, err
	}
	return i, nil
}

func (i *Instance) prepare(ctx context.Context, options Options) (err error) {
	if i.control, err = i.connect(ctx, options.Setup); err != nil {
		return err
	}
	for range options.Sessions {
		session, err := i.connect(ctx, append([]string{bufferSize}, options.Session...))
		if err != nil {
			return err
		}
		i.sessions = append(i.sessions, session)
	}
	return i.control.exec(ctx, options.Seal)
}

func (i *Instance) connect(ctx context.Context, statements []string) (*Conn, error) {
	c := &Conn{}
	if bindings.Connect(i.db, &c.conn) == bindings.StateError {
		return nil, errors.New("DuckDB gave no connection and no reason")
	}
	if err := c.exec(ctx, statements); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Control is the instance's own session, never handed out.
func (i *Instance) Control() *Conn { return i.control }

// Session hands out a session that nobody used before: its temporary tables,
// variables and current schema end with it. It returns nil when there are no
// more.
func (i *Instance) Session() *Conn {
	if len(i.sessions) == 0 {
		return nil
	}
	last := len(i.sessions) - 1
	session := i.sessions[last]
	i.sessions = i.sessions[:last]
	return session
}

// Left is how many sessions can still be handed out.
func (i *Instance) Left() int { return len(i.sessions) }

// Close closes the instance. The sessions handed out must be closed before.
func (i *Instance) Close() {
	for _, session := range i.sessions {
		session.Close()
	}
	i.sessions = nil
	if i.control != nil {
		i.control.Close()
	}
	bindings.Close(&i.db)
}
