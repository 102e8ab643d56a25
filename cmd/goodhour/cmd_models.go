package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/goodhour/goodhour/models"
	"github.com/goodhour/goodhour/warehouse"
)

func runModels(ctx context.Context, c *cli, args []string) error {
	if len(args) == 0 {
		return usagef("want run, test, lint or graph")
	}
	switch args[0] {
	case "run":
		return runPublish(ctx, c, args[1:])
	case "test":
		return testModels(ctx, c, args[1:])
	case "lint":
		return lintModels(ctx, c, args[1:])
	case "graph":
		return graphModels(ctx, c, args[1:])
	default:
		return usagef("want run, test, lint or graph, got %q", args[0])
	}
}

// runPublish runs the models and publishes the file: a model run is the
// publication.
func runPublish(ctx context.Context, c *cli, args []string) error {
	flags := newFlags(c, "publish")
	asOf := flags.String("as-of", "", "`TIME` that the models look from: now, last-event, a day or an instant (default: models.as_of)")
	if err := parseFlags(flags, args); err != nil {
		return err
	}
	if *asOf != "" && *asOf != asOfNow && *asOf != asOfLastEvent {
		if _, err := parseAsOf(*asOf); err != nil {
			return usagef("--as-of: %v", err)
		}
	}
	return withOperator(ctx, c, func(o operator) error {
		if err := o.WaitForEnd(ctx); err != nil {
			return err
		}
		p, err := o.Publish(ctx, publishRequest{AsOf: *asOf})
		if err != nil {
			return err
		}
		if c.json {
			return printJSON(c.stdout, p)
		}
		return printPublication(c, p)
	})
}

func printPublication(c *cli, p *publication) error {
	fmt.Fprintf(c.stdout, "Published %s as of %s: %d relations, %d rows, in %s (longest: %s).\n",
		warehouse.PublishedLink(c.cfg.Data), p.AsOf.Format(time.RFC3339), p.Relations, p.Rows,
		p.Took.Round(time.Millisecond), p.Slowest)
	if p.LastEventAt != nil && p.AsOf.Sub(*p.LastEventAt) > staleAfter {
		fmt.Fprintf(c.stdout, "The newest event is of %s. To look from that day: goodhour publish --as-of %s\n",
			p.LastEventAt.Format(time.DateOnly), p.LastEventAt.Format(time.DateOnly))
	}
	for _, name := range slices.Sorted(maps.Keys(p.LeftOut)) {
		fmt.Fprintf(c.stderr, "Left out: %s: %s\n", name, p.LeftOut[name])
	}
	return nil
}

// staleAfter is how old the newest event may be before a person is told.
const staleAfter = 30 * 24 * time.Hour

func testModels(ctx context.Context, c *cli, args []string) error {
	flags := newFlags(c, "models test")
	pattern := flags.String("run", "", "only the tests whose name matches this `PATTERN`")
	rest, err := parseMixed(flags, args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return usagef("name the folder of the tests (.txtar files)")
	}
	own, err := ownModels(&c.cfg)
	if err != nil {
		return err
	}
	if info, err := os.Stat(rest[0]); err != nil {
		return fmt.Errorf("open the folder of the tests: %w", err)
	} else if !info.IsDir() {
		return usagef("want the folder of the tests, %s is a file", rest[0])
	}
	results, err := models.RunTests(ctx, os.DirFS(rest[0]), *pattern, models.TestOptions{
		Open: warehouse.OpenScratch, Project: models.Project{Own: own, Settings: c.cfg.Models.Settings},
	})
	if err != nil {
		return err
	}
	if len(results) == 0 {
		return fmt.Errorf("no test is in %s: want files that end in .txtar, and a --run that matches one", rest[0])
	}
	if c.json {
		err = printJSON(c.stdout, results)
	}
	failed := 0
	for _, r := range results {
		verdict := "ok    " + r.File
		if !r.OK() {
			failed++
			verdict = "FAIL  " + r.File + "\n" + r.Error + r.Diff
		}
		if !c.json {
			fmt.Fprintln(c.stdout, verdict)
		}
	}
	if err == nil && failed > 0 {
		err = fmt.Errorf("%d of %d tests fail", failed, len(results))
	}
	return err
}

func lintModels(ctx context.Context, c *cli, args []string) error {
	if len(args) > 0 {
		return usagef("unexpected argument %q", args[0])
	}
	return withProject(ctx, c, func(conn *sql.Conn, project models.Project) error {
		findings, err := models.Lint(ctx, conn, project)
		if err != nil {
			return err
		}
		if c.json {
			err = printJSON(c.stdout, findings)
		}
		for _, f := range findings {
			if !c.json {
				fmt.Fprintln(c.stdout, f)
			}
		}
		if err == nil && len(findings) > 0 {
			err = fmt.Errorf("the models have %d findings", len(findings))
		}
		return err
	})
}

func graphModels(ctx context.Context, c *cli, args []string) error {
	flags := newFlags(c, "models graph")
	format := flags.String("format", "text", "text, mermaid or json")
	if err := parseFlags(flags, args); err != nil {
		return err
	}
	return withProject(ctx, c, func(conn *sql.Conn, project models.Project) error {
		graph, err := models.Load(ctx, conn, project)
		if err != nil {
			return err
		}
		switch {
		case c.json || *format == "json":
			return printJSON(c.stdout, graph)
		case *format == "mermaid":
			return graph.WriteMermaid(c.stdout)
		case *format == "text":
			return graph.WriteText(c.stdout)
		default:
			return usagef("--format: want text, mermaid or json, got %q", *format)
		}
	})
}

// withProject gives the models that are configured, and a connection to an
// empty database whose parser reads them.
func withProject(ctx context.Context, c *cli, do func(*sql.Conn, models.Project) error) error {
	own, err := ownModels(&c.cfg)
	if err != nil {
		return err
	}
	db, err := warehouse.OpenScratch(ctx)
	if err != nil {
		return err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	err = do(conn, models.Project{Own: own, Settings: c.cfg.Models.Settings})
	return errors.Join(err, conn.Close(), db.Close())
}
