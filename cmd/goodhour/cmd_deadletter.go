package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/goodhour/goodhour/warehouse"
)

func runDeadLetter(ctx context.Context, c *cli, args []string) error {
	if len(args) == 0 {
		return usagef("want list, show ID or replay ID...")
	}
	switch args[0] {
	case "list":
		flags := newFlags(c, "deadletter list")
		topic := flags.String("topic", "", "only those of this `TOPIC`")
		open := flags.Bool("open", false, "only those that were not replayed yet")
		limit := flags.Int("limit", 1000, "at most this many")
		after := flags.Int64("after", 0, "only those after this `ID`")
		if err := parseFlags(flags, args[1:]); err != nil {
			return err
		}
		filter := warehouse.DeadLetterFilter{Topic: *topic, Unreplayed: *open, AfterID: *after, Limit: *limit}
		return withOperator(ctx, c, func(o operator) error { return listDeadLetters(ctx, c, o, filter) })
	case "show":
		if len(args) != 2 {
			return usagef("want one ID")
		}
		return withOperator(ctx, c, func(o operator) error { return showDeadLetter(ctx, c, o, args[1]) })
	case "replay":
		if len(args) < 2 {
			return usagef("want one ID or more")
		}
		return withOperator(ctx, c, func(o operator) error { return replayDeadLetters(ctx, c, o, args[1:]) })
	default:
		return usagef("want list, show ID or replay ID..., got %q", args[0])
	}
}

func listDeadLetters(ctx context.Context, c *cli, o operator, filter warehouse.DeadLetterFilter) error {
	letters, err := o.DeadLetters(ctx, filter)
	if err != nil {
		return err
	}
	if c.json {
		return printJSON(c.stdout, letters)
	}
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tRECORD\tRECEIVED\tBYTES\tREPLAYED\tREASON")
	for _, l := range letters {
		replayed := "-"
		if !l.ReplayedAt.IsZero() {
			replayed = l.ReplayedAt.Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%d\t%s/%d@%d\t%s\t%d\t%s\t%s\n", l.ID, l.Topic, l.Partition, l.Offset,
			l.ReceivedAt.Format(time.RFC3339), l.Bytes, replayed, l.Reason)
	}
	return w.Flush()
}

// showDeadLetter prints the record itself, which may be personal: that is what
// the command is for, and only who owns the data directory can run it.
func showDeadLetter(ctx context.Context, c *cli, o operator, arg string) error {
	id, err := parseID(arg)
	if err != nil {
		return err
	}
	l, err := o.DeadLetter(ctx, id)
	if err != nil {
		return err
	}
	if c.json {
		return printJSON(c.stdout, l)
	}
	fmt.Fprintf(c.stdout, "%s partition %d offset %d, received %s\nreason: %s\nkey: %q\n",
		l.Topic, l.Partition, l.Offset, l.ReceivedAt.Format(time.RFC3339), l.Reason, l.Key)
	for _, name := range slices.Sorted(maps.Keys(l.Headers)) {
		fmt.Fprintf(c.stdout, "header %s: %q\n", name, l.Headers[name])
	}
	_, err = fmt.Fprintf(c.stdout, "value: %q\n", l.Value)
	return err
}

func replayDeadLetters(ctx context.Context, c *cli, o operator, args []string) error {
	ids := make([]int64, len(args))
	for i, arg := range args {
		id, err := parseID(arg)
		if err != nil {
			return err
		}
		ids[i] = id
	}
	for _, id := range ids {
		if err := o.ReplayDeadLetter(ctx, id); err != nil {
			return fmt.Errorf("replay dead letter %d: %w", id, err)
		}
		fmt.Fprintf(c.stdout, "Dead letter %d is on its topic again.\n", id)
	}
	return o.WaitForEnd(ctx)
}

func parseID(arg string) (int64, error) {
	id, err := strconv.ParseInt(arg, 10, 64)
	if err != nil || id < 1 {
		return 0, usagef("want the ID of a dead letter as deadletter list shows it, got %q", arg)
	}
	return id, nil
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func newFlags(c *cli, name string) *flag.FlagSet {
	flags := flag.NewFlagSet("goodhour "+name, flag.ContinueOnError)
	flags.SetOutput(c.stderr)
	return flags
}

// parseFlags parses flags wherever they stand and refuses other arguments.
func parseFlags(flags *flag.FlagSet, args []string) error {
	rest, err := parseMixed(flags, args)
	if err == nil && len(rest) > 0 {
		return usagef("unexpected argument %q", rest[0])
	}
	return err
}

// parseMixed parses flags that stand before, between or after other arguments,
// and returns those.
func parseMixed(flags *flag.FlagSet, args []string) (rest []string, err error) {
	for len(args) > 0 {
		// What is wrong is told once, by whoever called the command.
		out := flags.Output()
		flags.SetOutput(io.Discard)
		err := flags.Parse(args)
		flags.SetOutput(out)
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintf(out, "\nFlags of %s:\n", flags.Name())
			flags.PrintDefaults()
			return nil, err
		}
		if err != nil {
			return nil, usageError{err.Error()}
		}
		args = flags.Args()
		if len(args) > 0 {
			rest, args = append(rest, args[0]), args[1:]
		}
	}
	return rest, nil
}
