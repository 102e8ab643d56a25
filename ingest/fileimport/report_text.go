package fileimport

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// Write renders the report as plain text for a terminal.
func (p *Report) Write(w io.Writer) error {
	var b strings.Builder
	p.writeFiles(&b)
	p.writeMapping(&b)
	p.writeRows(&b)
	p.writeFindings(&b)
	p.writeReach(&b)
	for _, warning := range p.Warnings {
		fmt.Fprintf(&b, "  warning    %s\n", warning)
	}
	p.writeSamples(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

func (p *Report) writeFiles(b *strings.Builder) {
	fmt.Fprintf(b, "%s, source import:%s\n", p.Kind, p.Source)
	for _, f := range p.Files {
		fmt.Fprintf(b, "  file       %s", f.Name)
		switch {
		case f.Format == "":
			b.WriteString(": empty")
		case f.Delimiter != "":
			fmt.Fprintf(b, ": %d columns by %s, %s", f.Columns, f.Delimiter, f.Encoding)
			if f.HeaderLine > 1 {
				fmt.Fprintf(b, ", headings in line %d", f.HeaderLine)
			}
		default:
			fmt.Fprintf(b, ": %s, %d columns", f.Format, f.Columns)
		}
		b.WriteString("\n")
	}
	if s := p.Preset; s != nil {
		how := "as named"
		if s.Recognised {
			how = "recognised by the headings; if it is not one, say --preset none"
		}
		fmt.Fprintf(b, "  preset     %s (%s): %s rows are of %s orders\n", s.Name, how, thousands(s.Lines), thousands(s.Orders))
	}
}

func (p *Report) writeMapping(b *strings.Builder) {
	for i, m := range p.Mapping {
		label := "columns"
		if i > 0 {
			label = ""
		}
		fmt.Fprintf(b, "  %-10s %s = ", label, m.Field)
		switch {
		case m.Column == "":
			fmt.Fprintf(b, "%s for every row", m.Value)
		case m.Guessed:
			fmt.Fprintf(b, "%q (guessed)", m.Column)
		default:
			fmt.Fprintf(b, "%q", m.Column)
		}
		b.WriteString("\n")
	}
	if len(p.Unused) > 0 {
		fmt.Fprintf(b, "  not used   %s\n", listHeadings(p.Unused))
	}
	for _, reading := range p.Readings {
		fmt.Fprintf(b, "  read       %s\n", reading)
	}
}

func (p *Report) writeRows(b *strings.Builder) {
	fmt.Fprintf(b, "  rows       %s: %s good, %s rejected", thousands(p.Rows), thousands(p.Good), thousands(p.Rejected))
	if p.Duplicates > 0 {
		fmt.Fprintf(b, ", %s said again (same id and content)", thousands(p.Duplicates))
	}
	b.WriteString("\n")
	verb := "published"
	if p.DryRun {
		verb = "would be published (dry run)"
	}
	n := p.Published
	if p.DryRun {
		n = p.Events
	}
	fmt.Fprintf(b, "  events     %s %s\n", thousands(n), verb)
	if len(p.EventsByType) > 1 {
		for _, t := range p.types() {
			fmt.Fprintf(b, "             %s %s\n", thousands(p.EventsByType[t]), t)
		}
	}
	if p.First != nil {
		fmt.Fprintf(b, "  span       %s to %s UTC\n", p.First.Format(time.DateTime), p.Last.Format(time.DateTime))
	}
	for _, m := range p.Money {
		fmt.Fprintf(b, "  amounts    %s %s in %s orders, median %s", m.Currency, m.Amount, thousands(m.Orders), m.Median)
		if m.Refunds > 0 {
			fmt.Fprintf(b, "; %s in %s refunds", m.Refunded, thousands(m.Refunds))
		}
		b.WriteString("\n")
	}
	if p.Consents != nil {
		fmt.Fprintf(b, "  consents   %s in, %s out\n", thousands(p.Consents.OptedIn), thousands(p.Consents.OptedOut))
	}
}

func (p *Report) writeFindings(b *strings.Builder) {
	if p.Preset != nil {
		for _, c := range p.Preset.LeftOut {
			fmt.Fprintf(b, "  left out   %s orders: %s (first at %s %d of %s)\n", thousands(c.Rows), c.Reason, c.First.Unit, c.First.Line, c.First.File)
		}
	}
	for _, c := range p.Rejections {
		fmt.Fprintf(b, "  rejected   %s: %s\n", thousands(c.Rows), c.Reason)
	}
	p.writeExamples(b)
	for _, c := range p.Notes {
		fmt.Fprintf(b, "  noted      %s: %s (first at %s %d of %s)\n", thousands(c.Rows), c.Reason, c.First.Unit, c.First.Line, c.First.File)
	}
}

// writeExamples lists the first rejected rows, those of one reason together.
func (p *Report) writeExamples(b *strings.Builder) {
	for i := 0; i < len(p.Examples); {
		first := p.Examples[i]
		fmt.Fprintf(b, "             %s %s %d", first.File, first.Unit, first.Line)
		for i++; i < len(p.Examples); i++ {
			next := p.Examples[i]
			if next.File != first.File || next.Reason != first.Reason {
				break
			}
			fmt.Fprintf(b, ", %d", next.Line)
		}
		fmt.Fprintf(b, ": %s\n", first.Reason)
	}
	if len(p.Examples) > 0 && int64(len(p.Examples)) < p.Rejected {
		fmt.Fprintf(b, "             and %s more\n", thousands(p.Rejected-int64(len(p.Examples))))
	}
}

func (p *Report) writeReach(b *strings.Builder) {
	r := p.Reach
	if r.Customers == 0 {
		return
	}
	fmt.Fprintf(b, "  customers  %s: %s with a phone number", thousands(r.Customers), thousands(r.WithPhone))
	if r.EmailOnly > 0 {
		fmt.Fprintf(b, "; not reachable by these files alone: %s with an e-mail address only", thousands(r.EmailOnly))
	}
	if r.KeyOnly > 0 {
		joint := "; not reachable by these files alone:"
		if r.EmailOnly > 0 {
			joint = ","
		}
		fmt.Fprintf(b, "%s %s with a key only", joint, thousands(r.KeyOnly))
	}
	b.WriteString("\n")
}

func (p *Report) writeSamples(b *strings.Builder) {
	for i, s := range p.Samples {
		if i == 0 {
			b.WriteString("  sample events, personal values masked\n")
		}
		data, err := json.Marshal(s.Data)
		if err != nil {
			data = nil // what came out of JSON goes into JSON
		}
		fmt.Fprintf(b, "    %s %s %s\n      %s %s\n", s.Time.Format(time.RFC3339), s.Type, s.Subject, s.ID, data)
	}
}

// thousands writes a count with commas: 69,659.
func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
