package main

import (
	"context"
	"errors"
	"fmt"
	"os/user"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

func runOffsets(ctx context.Context, c *cli, args []string) error {
	if len(args) == 0 {
		return usagef("want list or accept")
	}
	switch {
	case args[0] == "list" && len(args) == 1:
		return withOperator(ctx, c, func(o operator) error { return listOffsets(ctx, c, o) })
	case args[0] == "accept" && len(args) == 2:
		return withOperator(ctx, c, func(o operator) error { return acceptBreak(ctx, c, o, args[1]) })
	default:
		return usagef("want list, or accept TOPIC/PARTITION")
	}
}

// catchUpPatience is how long offsets list waits for what is being loaded.
const catchUpPatience = 3 * time.Second

func listOffsets(ctx context.Context, c *cli, o operator) error {
	// A moment to catch up, no more: behind an open transaction the end may
	// never be reached.
	catchUp, cancel := context.WithTimeout(ctx, catchUpPatience)
	defer cancel()
	if err := o.WaitForEnd(catchUp); err != nil {
		// Still worth showing: the list says which partition it is.
		c.log.Debug("not at the end", "error", err)
	}
	list, err := o.Offsets(ctx)
	if err != nil {
		return err
	}
	if c.json {
		return printJSON(c.stdout, list)
	}
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PARTITION\tNEXT OFFSET\tLAG\tLAST RECORD\tSTATE")
	for _, p := range list {
		state, last := "loading", "-"
		if p.Lag == 0 {
			state = "at the end"
		}
		if p.Error != "" {
			state = p.Error
		}
		if p.Break != "" {
			state = "STOPPED: " + p.Break
		}
		if p.LastReceivedAt != nil {
			last = p.LastReceivedAt.Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%s/%d\t%d\t%d\t%s\t%s\n", p.Topic, p.Partition, p.NextOffset, p.Lag, last, state)
	}
	return w.Flush()
}

func acceptBreak(ctx context.Context, c *cli, o operator, name string) error {
	topic, number, ok := cutLast(name, "/")
	partition, err := strconv.ParseInt(number, 10, 32)
	if !ok || err != nil {
		return usagef("want TOPIC/PARTITION such as goodhour.delivery/3, got %q", name)
	}
	r := acceptRequest{Topic: topic, Partition: int32(partition), By: operatorName()}
	accepted, err := o.AcceptBreak(ctx, r)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.stdout, "Accepted: %s\nLoading goes on at offset %d.\n", accepted.Detail, accepted.NextOffset)
	return errors.Join(err, o.WaitForEnd(ctx))
}

// operatorName is who the record of a decision names, as far as the system knows.
func operatorName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
