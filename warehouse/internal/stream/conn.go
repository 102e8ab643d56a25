package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	bindings "github.com/duckdb/duckdb-go-bindings"
)

// interruptEvery is how often a cancelled statement is interrupted again:
// DuckDB forgets an interrupt that comes just before the statement starts.
const interruptEvery = 20 * time.Millisecond

// Conn is one session.
type Conn struct{ conn bindings.Connection }

// Close ends the session. Its Rows must be closed before.
func (c *Conn) Close() { bindings.Disconnect(&c.conn) }

func (c *Conn) exec(ctx context.Context, statements []string) error {
	for _, statement := range statements {
		rows, err := c.Query(ctx, statement)
		if err == nil {
			err = rows.drain()
			rows.Close()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// Query runs every statement of the text and returns the rows of the last one;
// those of the others are read and dropped. The arguments are for the last.
// A statement that returns nothing gives Rows without columns. Everything ends
// when ctx does; Rows must be closed.
func (c *Conn) Query(ctx context.Context, text string, args ...any) (*Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	stop := c.watch(ctx)
	rows, err := c.query(ctx, text, args)
	if err != nil {
		stop()
		return nil, errors.Join(ctx.Err(), err)
	}
	rows.stop = stop
	return rows, nil
}

// extract parses a text into its statements, at least one.
func (c *Conn) extract(text string) (bindings.ExtractedStatements, bindings.IdxT, error) {
	var statements bindings.ExtractedStatements
	if at := strings.IndexByte(text, 0); at >= 0 {
		// C would take the text to end here.
		return statements, 0, &Error{Class: "Parser Error", Message: fmt.Sprintf("a zero byte at position %d", at)}
	}
	count := bindings.ExtractStatements(c.conn, text, &statements)
	if count > 0 {
		return statements, count, nil
	}
	err := ErrEmpty
	if message := bindings.ExtractStatementsError(statements); message != "" {
		err = ParseError(message)
	}
	bindings.DestroyExtracted(&statements)
	return statements, 0, err
}

func (c *Conn) query(ctx context.Context, text string, args []any) (*Rows, error) {
	statements, count, err := c.extract(text)
	if err != nil {
		return nil, err
	}
	defer bindings.DestroyExtracted(&statements)
	for i := bindings.IdxT(0); i < count-1; i++ {
		rows, err := c.start(ctx, statements, i, nil)
		if err != nil {
			return nil, err
		}
		err = rows.drain()
		rows.Close()
		if err != nil {
			return nil, err
		}
	}
	return c.start(ctx, statements, count-1, args)
}

// start prepares and executes one statement up to its first rows.
func (c *Conn) start(ctx context.Context, statements bindings.ExtractedStatements, index bindings.IdxT, args []any) (_ *Rows, err error) {
	// Interrupts reach only a running statement.
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	rows := &Rows{ctx: ctx}
	defer func() {
		if err != nil {
			rows.Close()
		}
	}()
	if bindings.PrepareExtractedStatement(c.conn, statements, index, &rows.statement) == bindings.StateError {
		return nil, ParseError(bindings.PrepareError(rows.statement))
	}
	if err := bind(rows.statement, args); err != nil {
		return nil, err
	}
	var pending bindings.PendingResult
	defer bindings.DestroyPending(&pending)
	if bindings.PendingPreparedStreaming(rows.statement, &pending) == bindings.StateError {
		return nil, ParseError(bindings.PendingError(pending))
	}
	if bindings.ExecutePending(pending, &rows.result) == bindings.StateError {
		return nil, ParseError(bindings.ResultError(&rows.result))
	}
	rows.describe()
	return rows, nil
}

// watch interrupts the connection from the end of ctx until stop is called,
// which waits, so that a late interrupt cannot hit the next statement.
func (c *Conn) watch(ctx context.Context) (stop func()) {
	if ctx.Done() == nil {
		return func() {}
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
			bindings.Interrupt(c.conn)
			select {
			case <-finished:
				return
			case <-again.C:
			}
		}
	}()
	return func() {
		close(finished)
		<-quiet
	}
}

// Select returns the one select that a text is, without semicolons and what
// follows them, and its columns. Nothing is run. It refuses anything else.
func (c *Conn) Select(text string) (string, []Column, error) {
	columns, err := c.describe(text)
	if err != nil {
		return "", nil, err
	}
	// A semicolon may stand in a text, a name or a comment, too. It ends the
	// select where what is before it is whole and what follows is nothing but
	// comments.
	for at, tries := 0, 0; tries < maxSemicolons; tries++ {
		next := strings.IndexByte(text[at:], ';')
		if next < 0 {
			break
		}
		head, tail := text[:at+next], text[at+next+1:]
		at += next + 1
		if _, _, err := c.extract(tail); !errors.Is(err, ErrEmpty) {
			continue
		}
		if _, err := c.describe(head); err == nil {
			return head, columns, nil
		}
	}
	return text, columns, nil
}

// maxSemicolons bounds the search for the one that ends a select.
const maxSemicolons = 64

func (c *Conn) describe(text string) ([]Column, error) {
	statements, count, err := c.extract(text)
	if err != nil {
		return nil, err
	}
	defer bindings.DestroyExtracted(&statements)
	if count != 1 {
		return nil, fmt.Errorf("%w, this is %d statements", ErrNotOneSelect, count)
	}
	var statement bindings.PreparedStatement
	defer bindings.DestroyPrepare(&statement)
	if bindings.PrepareExtractedStatement(c.conn, statements, 0, &statement) == bindings.StateError {
		return nil, ParseError(bindings.PrepareError(statement))
	}
	if bindings.PreparedStatementType(statement) != bindings.StatementTypeSelect {
		return nil, ErrNotOneSelect
	}
	columns := make([]Column, bindings.PreparedStatementColumnCount(statement))
	for i := range columns {
		at := bindings.IdxT(i)
		logical := bindings.PreparedStatementColumnLogicalType(statement, at)
		_, name := decoderOf(logical)
		bindings.DestroyLogicalType(&logical)
		columns[i] = Column{Name: bindings.PreparedStatementColumnName(statement, at), Type: name}
	}
	return columns, nil
}

func bind(statement bindings.PreparedStatement, args []any) error {
	if want := int(bindings.NParams(statement)); want != len(args) {
		return &Error{Class: "Invalid Input Error", Message: fmt.Sprintf("the statement has %d parameters, %d values were given", want, len(args))}
	}
	for i, arg := range args {
		at := bindings.IdxT(i + 1)
		var state bindings.State
		switch v := arg.(type) {
		case nil:
			state = bindings.BindNull(statement, at)
		case bool:
			state = bindings.BindBoolean(statement, at, v)
		case int:
			state = bindings.BindInt64(statement, at, int64(v))
		case int64:
			state = bindings.BindInt64(statement, at, v)
		case float64:
			state = bindings.BindDouble(statement, at, v)
		case string:
			state = bindings.BindVarcharLength(statement, at, v, bindings.IdxT(len(v)))
		case time.Time:
			state = bindings.BindTimestamp(statement, at, bindings.NewTimestamp(v.UnixMicro()))
		default:
			return &Error{Class: "Invalid Input Error", Message: fmt.Sprintf("parameter %d has the type %T; text, number, boolean, time and null are supported", i+1, arg)}
		}
		if state == bindings.StateError {
			return ParseError(bindings.PrepareError(statement))
		}
	}
	return nil
}
