package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/goodhour/goodhour/warehouse"
)

// runSQL answers a select on the published file: as a table for people, or in
// a format for machines.
func runSQL(ctx context.Context, c *cli, args []string) error {
	flags := newFlags(c, "sql")
	format, out := outputFlags(flags.String)
	rest, err := parseMixed(flags, args)
	if err != nil {
		return err
	}
	query := strings.Join(rest, " ")
	if query == "" || query == "-" {
		b, err := io.ReadAll(io.LimitReader(c.stdin, 1<<20))
		if err != nil {
			return fmt.Errorf("read the query: %w", err)
		}
		query = string(b)
	}
	if strings.TrimSpace(query) == "" {
		return usagef("give a query, or pipe one in")
	}
	return withPublished(ctx, c, func(reader *warehouse.Reader) error {
		if *format == "" && c.json {
			*format = string(warehouse.JSON)
		}
		if *format == "" && *out == "" {
			table, err := reader.Table(ctx, query)
			if err != nil {
				return err
			}
			return table.WriteText(c.stdout)
		}
		return exportTo(ctx, c, reader, *format, *out, warehouse.Source{SQL: query})
	})
}

// runExport writes a whole relation of the published file.
func runExport(ctx context.Context, c *cli, args []string) error {
	flags := newFlags(c, "export")
	format, out := outputFlags(flags.String)
	rest, err := parseMixed(flags, args)
	if err != nil {
		return err
	}
	if len(rest) > 1 {
		return usagef("name one relation")
	}
	return withPublished(ctx, c, func(reader *warehouse.Reader) error {
		if len(rest) == 0 {
			return listRelations(c, reader)
		}
		return exportTo(ctx, c, reader, *format, *out, warehouse.Source{Relation: rest[0]})
	})
}

func outputFlags(text func(name, value, usage string) *string) (format, out *string) {
	format = text("format", "", "csv, json, ndjson, parquet or arrow (default: by the ending of --out, else csv)")
	out = text("out", "", "write to this `FILE` instead of standard output")
	return format, out
}

// withPublished opens the published file for reading, whether a serve runs or not.
func withPublished(ctx context.Context, c *cli, do func(*warehouse.Reader) error) error {
	path, err := filepath.EvalSymlinks(warehouse.PublishedLink(c.cfg.Data))
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("nothing is published in %s yet; run: goodhour publish --data %s", c.cfg.Data, c.cfg.Data)
	}
	if err != nil {
		return fmt.Errorf("find the published file: %w", err)
	}
	limits := readLimits(c.cfg.SQL)
	// Who runs a command waits for it: the deadline is for the server's callers.
	limits.Timeout = limits.ExportTimeout
	reader, err := warehouse.OpenReader(ctx, path, limits)
	if err != nil {
		return err
	}
	return errors.Join(do(reader), reader.Close())
}

// exportTo writes a result to a file, whole or not at all, or to standard output.
func exportTo(ctx context.Context, c *cli, reader *warehouse.Reader, format, out string, source warehouse.Source) error {
	if format == "" {
		format = strings.TrimPrefix(filepath.Ext(out), ".")
		if format == "" {
			format = string(warehouse.CSV)
		}
	}
	f := warehouse.Format(format)
	if !slices.Contains(warehouse.Formats(), f) {
		return usagef("want a format of %v, got %q", warehouse.Formats(), format)
	}
	if out == "" {
		_, err := reader.Export(ctx, c.stdout, f, source, warehouse.ExportOptions{})
		return err
	}
	n, err := exportToFile(ctx, reader, out, f, source)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stderr, "Wrote %d rows to %s, as of %s.\n", n, out, reader.Info().AsOf.Format(time.RFC3339))
	return nil
}

func exportToFile(ctx context.Context, reader *warehouse.Reader, out string, f warehouse.Format, source warehouse.Source) (n int64, err error) {
	temp, err := os.CreateTemp(filepath.Dir(out), "."+filepath.Base(out)+"-")
	if err != nil {
		return 0, fmt.Errorf("write %s: %w", out, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temp.Name()))
		}
	}()
	buffered := bufio.NewWriterSize(temp, 1<<20)
	n, err = reader.Export(ctx, buffered, f, source, warehouse.ExportOptions{BOM: f == warehouse.CSV})
	if err = errors.Join(err, buffered.Flush(), temp.Chmod(0o644), temp.Close()); err != nil {
		return 0, err
	}
	if err := os.Rename(temp.Name(), out); err != nil {
		return 0, fmt.Errorf("write %s: %w", out, err)
	}
	return n, nil
}

func listRelations(c *cli, reader *warehouse.Reader) error {
	if c.json {
		return printJSON(c.stdout, reader.Relations())
	}
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RELATION\tROWS\tCOLUMNS")
	for _, r := range reader.Relations() {
		rows := "view"
		if r.Rows >= 0 {
			rows = fmt.Sprint(r.Rows)
		}
		fmt.Fprintf(w, "%s.%s\t%s\t%d\n", r.Schema, r.Name, rows, len(r.Columns))
	}
	return w.Flush()
}
