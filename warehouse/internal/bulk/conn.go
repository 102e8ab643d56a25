package bulk

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"github.com/duckdb/duckdb-go/v2"
	"github.com/duckdb/duckdb-go/v2/mapping"
)

// interruptEvery is how often a cancelled statement is interrupted again:
// DuckDB forgets an interrupt that comes just before the statement starts.
const interruptEvery = 20 * time.Millisecond

// Timestamp is an argument of type TIMESTAMP: microseconds since the Unix epoch.
type Timestamp int64

// Conn is a connection to a database that the driver has open in this process.
type Conn struct {
	db   mapping.Database
	conn mapping.Connection
}

// Join connects to the instance that the driver has open on path. The driver
// must have opened it by the bare path, without options: DuckDB refuses two
// handles with different settings.
func Join(path string) (*Conn, error) {
	var config mapping.Config
	if mapping.CreateConfig(&config) == mapping.StateError {
		return nil, errors.New("DuckDB gave no memory for a configuration")
	}
	defer mapping.DestroyConfig(&config)
	// The driver sets this on every handle; ours must be equal to share the instance.
	if mapping.SetConfig(config, "duckdb_api", "go") == mapping.StateError {
		return nil, errors.New("DuckDB refused the setting duckdb_api")
	}

	c := &Conn{}
	var message string
	if mapping.GetOrCreateFromCache(duckdb.GetInstanceCache(), path, &c.db, config, &message) == mapping.StateError {
		mapping.Close(&c.db)
		return nil, fmt.Errorf("join the open database %s: %s", path, message)
	}
	if mapping.Connect(c.db, &c.conn) == mapping.StateError {
		mapping.Close(&c.db)
		return nil, fmt.Errorf("connect to the open database %s: DuckDB gave no reason", path)
	}
	return c, nil
}

// Close rolls back an open transaction and gives up the connection.
func (c *Conn) Close() {
	mapping.Disconnect(&c.conn)
	mapping.Close(&c.db)
}

// Exec runs one statement and returns how many rows it changed.
func (c *Conn) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	var changed int64
	err := c.run(ctx, query, args, func(result *mapping.Result) {
		changed = int64(mapping.RowsChanged(result))
	})
	return changed, err
}

// Ints runs one query whose only column is a BIGINT without nulls.
func (c *Conn) Ints(ctx context.Context, query string, args ...any) ([]int64, error) {
	var out []int64
	var shape error
	err := c.run(ctx, query, args, func(result *mapping.Result) {
		if mapping.ColumnCount(result) != 1 || mapping.ColumnType(result, 0) != mapping.TypeBigInt {
			shape = fmt.Errorf("query does not return one BIGINT column: %s", query)
			return
		}
		for {
			chunk := mapping.FetchChunk(*result)
			if chunk.Ptr == nil {
				return
			}
			n := int(mapping.DataChunkGetSize(chunk))
			data := mapping.VectorGetData(mapping.DataChunkGetVector(chunk, 0))
			out = append(out, unsafe.Slice((*int64)(data), n)...)
			mapping.DestroyDataChunk(&chunk)
		}
	})
	return out, errors.Join(err, shape)
}

// run executes a statement and hands over its result. After an error the
// connection's transaction is to be rolled back, whatever a commit would say.
func (c *Conn) run(ctx context.Context, query string, args []any, use func(*mapping.Result)) error {
	var stmt mapping.PreparedStatement
	defer mapping.DestroyPrepare(&stmt)
	if mapping.Prepare(c.conn, query, &stmt) == mapping.StateError {
		return errors.New(mapping.PrepareError(stmt))
	}
	if err := bind(stmt, args); err != nil {
		return err
	}
	return c.interruptible(ctx, func() error {
		var result mapping.Result
		defer mapping.DestroyResult(&result)
		if mapping.ExecutePrepared(stmt, &result) == mapping.StateError {
			return errors.Join(ctx.Err(), errors.New(mapping.ResultError(&result)))
		}
		use(&result)
		return nil
	})
}

func bind(stmt mapping.PreparedStatement, args []any) error {
	for i, arg := range args {
		at := mapping.IdxT(i + 1)
		var state mapping.State
		switch v := arg.(type) {
		case string:
			state = mapping.BindVarcharLength(stmt, at, v, mapping.IdxT(len(v)))
		case int64:
			state = mapping.BindInt64(stmt, at, v)
		case int32:
			state = mapping.BindInt32(stmt, at, v)
		case Timestamp:
			state = mapping.BindTimestamp(stmt, at, mapping.NewTimestamp(int64(v)))
		default:
			return fmt.Errorf("parameter %d has the type %T, which is not supported here", i+1, arg)
		}
		if state == mapping.StateError {
			return fmt.Errorf("bind parameter %d: %s", i+1, mapping.PrepareError(stmt))
		}
	}
	return nil
}

// interruptible runs a call into DuckDB and interrupts it when ctx ends.
func (c *Conn) interruptible(ctx context.Context, call func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if ctx.Done() == nil {
		return call()
	}
	finished, quiet := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(quiet)
		select {
		case <-finished:
			return
		case <-ctx.Done():
		}
		again := time.NewTicker(interruptEvery)
		defer again.Stop()
		for {
			mapping.Interrupt(c.conn)
			select {
			case <-finished:
				return
			case <-again.C:
			}
		}
	}()
	err := call()
	close(finished)
	// Wait, so that a late interrupt cannot hit the next statement.
	<-quiet
	return err
}
