package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/goodhour/goodhour/api"
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
		return exportTo(c, reader, *format, *out, 0o644, func(w io.Writer, f warehouse.Format, options warehouse.ExportOptions) (int64, error) {
			return reader.Export(ctx, w, f, warehouse.Source{SQL: query}, options)
		})
	})
}

// runExport writes a whole relation of the published file.
func runExport(ctx context.Context, c *cli, args []string) error {
	flags := newFlags(c, "export")
	format, out := outputFlags(flags.String)
	pii := flags.Bool("pii", false, "add name, phone and e-mail of each customer; it is in the audit log")
	rest, err := parseMixed(flags, args)
	if err != nil {
		return err
	}
	if len(rest) > 1 {
		return usagef("name one relation")
	}
	if *pii && len(rest) == 0 {
		return usagef("--pii: name a relation of customers, such as marts.customers")
	}
	return withPublished(ctx, c, func(reader *warehouse.Reader) error {
		if len(rest) == 0 {
			return listRelations(c, reader)
		}
		source := warehouse.Source{Relation: rest[0]}
		if *pii {
			return exportPersonal(ctx, c, reader, *format, *out, source)
		}
		return exportTo(c, reader, *format, *out, 0o644, func(w io.Writer, f warehouse.Format, options warehouse.ExportOptions) (int64, error) {
			return reader.Export(ctx, w, f, source, options)
		})
	})
}

// exportPersonal writes a relation with the personal data of its customers,
// which only the process that has the data directory open can read, between
// two lines of the audit log.
func exportPersonal(ctx context.Context, c *cli, reader *warehouse.Reader, format, out string, source warehouse.Source) error {
	if _, known := reader.Relation(source.Relation); !known {
		return usagef("the published file has no relation %q; goodhour export lists them", source.Relation)
	}
	return withOperator(ctx, c, func(o operator) error {
		audit := api.OpenAudit(auditPath(c.cfg.Data), c.now)
		entry := api.AuditEntry{
			RequestID: rand.Text(), Stage: "begin", Actor: "local", Action: "export --pii", Target: source.Relation, Personal: true,
		}
		if err := audit.Append(entry); err != nil {
			return err
		}
		err := exportTo(c, reader, format, out, 0o600, func(w io.Writer, f warehouse.Format, options warehouse.ExportOptions) (n int64, err error) {
			n, err = reader.ExportPersonal(ctx, w, f, source, options, o)
			entry.Count = n
			return n, err
		})
		entry.Stage, entry.Result = "end", "done"
		if err != nil {
			entry.Result = "failed"
		}
		return errors.Join(err, audit.Append(entry))
	})
}

func auditPath(data string) string { return filepath.Join(data, "audit.log") }

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

// exporting writes a result in a format.
type exporting func(w io.Writer, f warehouse.Format, options warehouse.ExportOptions) (int64, error)

// exportTo writes a result to a file, whole or not at all, or to standard
// output. A CSV file begins with the mark that Excel needs to see UTF-8; a
// stream has none, because programs read it.
func exportTo(c *cli, reader *warehouse.Reader, format, out string, mode os.FileMode, export exporting) error {
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
		_, err := export(c.stdout, f, warehouse.ExportOptions{})
		return err
	}
	n, err := exportToFile(out, f, mode, export)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stderr, "Wrote %d rows to %s, as of %s.\n", n, out, reader.Info().AsOf.Format(time.RFC3339))
	return nil
}

func exportToFile(out string, f warehouse.Format, mode os.FileMode, export exporting) (n int64, err error) {
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
	n, err = export(buffered, f, warehouse.ExportOptions{BOM: f == warehouse.CSV})
	if err = errors.Join(err, buffered.Flush(), temp.Chmod(mode), temp.Close()); err != nil {
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
