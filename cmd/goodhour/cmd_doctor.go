package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// finding is what the doctor says of one part.
type finding struct {
	State    findingState `json:"state"`
	Part     string       `json:"part"`
	Evidence string       `json:"evidence"`       // what was seen
	Mend     string       `json:"mend,omitempty"` // what to do about it
}

type findingState string

const (
	works    findingState = "works"
	notTried findingState = "not tried" // and why
	doubtful findingState = "look"      // works, but wants a look
	broken   findingState = "BROKEN"
)

// doctorPatience bounds each question to somebody else.
const doctorPatience = 10 * time.Second

// doctor tries the parts of an installation. It changes nothing, and opens
// nothing that only one process may have open.
type doctor struct {
	*cli
	serve    *controlClient // nil: none runs
	findings []finding
}

func (d *doctor) say(state findingState, part, mend, format string, args ...any) {
	d.findings = append(d.findings, finding{State: state, Part: part, Evidence: fmt.Sprintf(format, args...), Mend: mend})
}

func runDoctor(ctx context.Context, c *cli, args []string) error {
	if len(args) > 0 {
		return usagef("unexpected argument %q", args[0])
	}
	d := &doctor{cli: c}
	for _, look := range []func(context.Context){
		d.configuration, d.disk, d.process, d.kafka, d.loading, d.published, d.accounts,
	} {
		look(ctx)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	count := make(map[findingState]int)
	for _, f := range d.findings {
		count[f.State]++
	}
	var err error
	if c.json {
		err = printJSON(c.stdout, d.findings)
	} else {
		err = printFindings(c.stdout, d.findings)
	}
	if err == nil && count[broken] > 0 {
		err = fmt.Errorf("%d of %d parts do not work", count[broken], len(d.findings))
	}
	return err
}

func printFindings(out io.Writer, findings []finding) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, f := range findings {
		fmt.Fprintf(w, "%s\t%s\t%s\n", f.State, f.Part, oneLine(f.Evidence))
		if f.Mend != "" {
			fmt.Fprintf(w, "\t\t-> %s\n", oneLine(f.Mend))
		}
	}
	return w.Flush()
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// process finds the serve that runs here.
func (d *doctor) process(ctx context.Context) {
	serve, err := dialControl(ctx, d.cfg.Data)
	switch {
	case errors.Is(err, errNotServing):
		d.say(notTried, "serve", "goodhour serve loads, builds, sends and answers", "none runs on %s", d.cfg.Data)
	case err != nil:
		d.say(broken, "serve", "look at its log; start it again", "%v", err)
	default:
		d.serve = serve
		d.say(works, "serve", "", "runs on %s and answers; pages at http://%s/", d.cfg.Data, d.cfg.API.Listen)
	}
}
