package fileimport

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
)

// pageRows is how many rows of the staging table are read at a time: the driver
// holds a whole result in memory.
const pageRows = 30_000

// Queries of staged rows, a page at a time: those with $1 <= rowid < $2.
const (
	sqlStagedPage = `select staged.rowid, staged.file_no, staged.at_line, 1{columns}
from staged
where staged.rowid >= $1 and staged.rowid < $2
order by staged.rowid`

	// The rows that become events, with their ordinal among rows with the same key.
	sqlPublishPage = `select staged.rowid, staged.file_no, staged.at_line, coalesce(marks.ordinal, 1){columns}
from staged
join (select seq from facts where seq >= $1 and seq < $2) as facts on facts.seq = staged.rowid
left join (select seq, ordinal, dropped from marks where seq >= $1 and seq < $2) as marks on marks.seq = staged.rowid
where staged.rowid >= $1 and staged.rowid < $2 and not coalesce(marks.dropped, false)
order by staged.rowid`
)

// stagedRow is a row of the staging table.
type stagedRow struct {
	seq     int64
	place   place
	ordinal int64
	values  []string // the asked columns, trimmed, and the constants
}

// pages reads the staged rows by one of the queries above, with these columns.
// A page's rows last until visit returns.
func (s *stage) pages(ctx context.Context, query string, columns, constants []string, total int64, visit func([]stagedRow) error) error {
	var list strings.Builder
	for _, c := range columns {
		list.WriteString(", staged." + quoteName(c))
	}
	statement, err := s.db.PrepareContext(ctx, strings.Replace(query, "{columns}", list.String(), 1))
	if err != nil {
		return fmt.Errorf("read the staged rows: %w", err)
	}
	defer statement.Close()
	p := pager{columns: len(columns), constants: constants}
	for from := int64(0); from < total; from += pageRows {
		if err := p.read(ctx, statement, from); err != nil {
			return fmt.Errorf("read the staged rows from %d: %w", from, err)
		}
		if err := visit(p.rows); err != nil {
			return err
		}
	}
	return nil
}

// pager holds one page.
type pager struct {
	columns   int
	constants []string
	rows      []stagedRow
	values    []string // of all rows of the page
}

func (p *pager) read(ctx context.Context, statement *sql.Stmt, from int64) error {
	rows, err := statement.QueryContext(ctx, from, from+pageRows)
	if err != nil {
		return err
	}
	defer rows.Close()
	width := p.columns + len(p.constants)
	if p.values == nil {
		p.values = make([]string, 0, pageRows*width)
	}
	p.rows, p.values = p.rows[:0], p.values[:0]
	texts := make([]sql.NullString, p.columns)
	var r stagedRow
	targets := []any{&r.seq, &r.place.file, &r.place.at, &r.ordinal}
	for i := range texts {
		targets = append(targets, &texts[i])
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		begin := len(p.values)
		for i := range texts {
			p.values = append(p.values, strings.TrimSpace(texts[i].String))
		}
		p.values = append(p.values, p.constants...)
		r.values = p.values[begin:len(p.values):len(p.values)]
		p.rows = append(p.rows, r)
	}
	return rows.Err()
}

// workers is how many goroutines build the rows of a page.
func workers() int { return min(runtime.GOMAXPROCS(0), 8) }

// share splits n things among as many workers and waits for all.
func share(n, workers int, do func(worker, from, to int) error) error {
	errs := make([]error, workers)
	var group sync.WaitGroup
	for w := range workers {
		from, to := n*w/workers, n*(w+1)/workers
		group.Go(func() { errs[w] = do(w, from, to) })
	}
	group.Wait()
	return errors.Join(errs...)
}
