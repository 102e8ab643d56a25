package campaign

import (
	"encoding"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goodhour/goodhour/sender/policy"
	"github.com/goodhour/goodhour/sender/template"
	"github.com/goodhour/goodhour/warehouse"
)

// Limits of a campaign's file.
const (
	idCharsMax   = 64
	spreadDayMax = 60
)

// campaignID is the form of an id: it stands in URLs, events and tables.
var campaignID = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)

// Parse reads a campaign's file, YAML or JSON. Every key must be known. The
// error is an *InvalidError with all that is wrong, in the order of the file.
func Parse(file []byte) (*Campaign, error) {
	root, err := readTree(file)
	if err != nil {
		problem := Problem{Text: "the campaign's file cannot be read: " + err.Error()}
		if syntax, ok := err.(*syntaxError); ok { //nolint:errorlint // readTree's own, never wrapped
			problem.Line = syntax.line
		}
		return nil, &InvalidError{Problems: []Problem{problem}}
	}
	r := &reader{}
	c := r.campaign(root)
	if len(r.problems) > 0 {
		slices.SortStableFunc(r.problems, func(a, b Problem) int { return a.Line - b.Line })
		return nil, &InvalidError{Problems: r.problems}
	}
	return c, nil
}

// reader turns nodes into values and gathers what is wrong.
type reader struct{ problems []Problem }

func (r *reader) problem(line int, path, format string, args ...any) {
	r.problems = append(r.problems, Problem{Line: line, Field: path, Text: fmt.Sprintf(format, args...)})
}

// take reads one field of a mapping into its place.
type take func(path string, n node)

// fields reads a mapping: each known field once, no other. It returns which
// were there.
func (r *reader) fields(path string, n node, known map[string]take) map[string]bool {
	seen := map[string]bool{}
	if n.kind != mapping {
		r.problem(n.line, path, "want %s, not %s", mapping, n.kind)
		return seen
	}
	for _, f := range n.fields {
		place := join(path, f.name)
		read, isKnown := known[f.name]
		switch {
		case !isKnown:
			r.problem(f.line, place, "unknown: want %s", strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		case seen[f.name]:
			r.problem(f.line, place, "stands twice")
		case f.kind == nothing:
			r.problem(f.line, place, "empty: give a value, or leave it out")
		default:
			read(place, f.node)
		}
		seen[f.name] = true
	}
	return seen
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// require tells which fields are missing.
func (r *reader) require(path string, n node, seen map[string]bool, names ...string) {
	for _, name := range names {
		if !seen[name] && n.kind == mapping {
			r.problem(n.line, join(path, name), "missing")
		}
	}
}

func (r *reader) text(path string, n node) string {
	if n.kind != scalar {
		r.problem(n.line, path, "want %s, not %s", scalar, n.kind)
		return ""
	}
	text := strings.TrimSpace(n.text)
	if text == "" {
		r.problem(n.line, path, "empty: give a value, or leave it out")
	}
	return text
}

func (r *reader) texts(path string, n node, each func(path string, n node)) {
	if n.kind != list {
		r.problem(n.line, path, "want %s, not %s", list, n.kind)
		return
	}
	if len(n.items) == 0 {
		r.problem(n.line, path, "empty: give a value, or leave it out")
	}
	for i, item := range n.items {
		each(fmt.Sprintf("%s.%d", path, i), item)
	}
}

// parsed reads a text that reads itself.
func (r *reader) parsed(path string, n node, into encoding.TextUnmarshaler) {
	if text := r.text(path, n); text != "" {
		if err := into.UnmarshalText([]byte(text)); err != nil {
			r.problem(n.line, path, "%v", err)
		}
	}
}

// number reads a number from low to high.
func (r *reader) number(path string, n node, low, high float64) float64 {
	text := r.text(path, n)
	value, err := strconv.ParseFloat(text, 64)
	if text != "" && (err != nil || !(value >= low && value <= high)) {
		r.problem(n.line, path, "want a number from %v to %v", low, high)
	}
	return value
}

func (r *reader) campaign(n node) *Campaign {
	c := &Campaign{}
	seen := r.fields("", n, map[string]take{
		"id":        func(path string, n node) { c.ID = r.id(path, n) },
		"audience":  func(path string, n node) { c.Audience = r.audience(path, n) },
		"template":  func(path string, n node) { c.Template = r.template(path, n) },
		"account":   func(path string, n node) { c.Account = r.text(path, n) },
		"numbers":   func(path string, n node) { c.Numbers = r.numbers(path, n) },
		"schedule":  func(path string, n node) { c.Schedule = r.schedule(path, n) },
		"holdout":   func(path string, n node) { c.Holdout = r.holdout(path, n) },
		"overrides": func(path string, n node) { c.Overrides = r.overrides(path, n) },
		"needs":     func(path string, n node) { c.Needs = r.needs(path, n) },
		"budget":    func(path string, n node) { r.unbuilt(path, n, "budget") },
	})
	r.require("", n, seen, "id", "audience", "template", "account", "schedule")
	return c
}

func (r *reader) id(path string, n node) string {
	id := r.text(path, n)
	if id != "" && (len(id) > idCharsMax || !campaignID.MatchString(id) || strings.HasPrefix(id, planPrefix)) {
		r.problem(n.line, path, "want at most %d small letters, digits, _ and -, not beginning with %s, such as win_back", idCharsMax, planPrefix)
	}
	return id
}

// relationForm is schema.name. Which relations there are, the published file says.
var relationForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*\.[A-Za-z_][A-Za-z0-9_]*$`)

func (r *reader) audience(path string, n node) (a Audience) {
	relation := func(path string, n node) {
		if a.Relation = r.text(path, n); a.Relation != "" && !relationForm.MatchString(a.Relation) {
			r.problem(n.line, path, "want a relation's full name such as audience.win_back, or sql: with a select")
		}
	}
	if n.kind == scalar {
		relation(path, n)
		return a
	}
	seen := r.fields(path, n, map[string]take{
		"relation": relation,
		"sql":      func(path string, n node) { a.SQL = r.text(path, n) },
	})
	if n.kind == mapping && seen["relation"] == seen["sql"] {
		r.problem(n.line, path, "want one of relation and sql")
	}
	return a
}

func (r *reader) template(path string, n node) (t Template) {
	seen := r.fields(path, n, map[string]take{
		"name":       func(path string, n node) { t.Name = r.text(path, n) },
		"language":   func(path string, n node) { t.Language = r.text(path, n) },
		"parameters": func(path string, n node) { t.Parameters = r.parameters(path, n) },
	})
	r.require(path, n, seen, "name", "language")
	return t
}

// parameters has the template's names, which are checked against it later.
func (r *reader) parameters(path string, n node) map[string]Parameter {
	if n.kind != mapping {
		r.problem(n.line, path, "want %s, not %s", mapping, n.kind)
		return nil
	}
	out := map[string]Parameter{}
	for _, f := range n.fields {
		place := join(path, f.name)
		if _, twice := out[f.name]; twice {
			r.problem(f.line, place, "stands twice")
		}
		out[f.name] = r.parameter(place, f.node)
	}
	return out
}

func (r *reader) parameter(path string, n node) (p Parameter) {
	seen := r.fields(path, n, map[string]take{
		"column": func(path string, n node) { p.Column = r.text(path, n) },
		"field": func(path string, n node) {
			if p.Field = r.text(path, n); p.Field != "" && !slices.Contains(warehouse.PersonalFields(), p.Field) {
				r.problem(n.line, path, "want one of %s", strings.Join(warehouse.PersonalFields(), ", "))
			}
		},
		"value":   func(path string, n node) { p.Value = r.text(path, n) },
		"default": func(path string, n node) { p.Default = r.text(path, n) },
		"missing": func(path string, n node) {
			p.Missing = template.Missing(r.text(path, n))
			if !slices.Contains([]template.Missing{"", template.UseDefault, template.Skip, template.Refuse}, p.Missing) {
				r.problem(n.line, path, "want default, skip or refuse")
			}
		},
	})
	if n.kind != mapping {
		return p
	}
	sources := 0
	for _, source := range []string{"column", "field", "value"} {
		if seen[source] {
			sources++
		}
	}
	switch {
	case sources != 1:
		r.problem(n.line, path, "want one of column, field and value")
	case seen["value"]:
		if seen["missing"] || seen["default"] {
			r.problem(n.line, path, "a value is the same for all and never missing: leave missing and default out")
		}
	case seen["default"]:
		if p.Missing != "" && p.Missing != template.UseDefault {
			r.problem(n.line, path, "want a default, or missing: %s, not both", p.Missing)
		}
		p.Missing = template.UseDefault
	case !seen["missing"]:
		r.problem(n.line, path, "say what a missing value does: default: with a text, missing: skip (this customer), or missing: refuse (the plan)")
	case p.Missing == template.UseDefault:
		r.problem(n.line, path, "want a default to use")
	}
	return p
}

func (r *reader) numbers(path string, n node) (out []string) {
	r.texts(path, n, func(path string, n node) {
		number := r.text(path, n)
		if slices.Contains(out, number) {
			r.problem(n.line, path, "stands twice")
		}
		out = append(out, number)
	})
	return out
}

func (r *reader) schedule(path string, n node) (s Schedule) {
	seen := r.fields(path, n, map[string]take{
		"send": func(path string, n node) {
			s.Send = Send(r.text(path, n))
			if !slices.Contains([]Send{"", BestTime, At, Now}, s.Send) {
				r.problem(n.line, path, "want %s, %s or %s", BestTime, At, Now)
			}
		},
		"at":          func(path string, n node) { s.At = r.moment(path, n) },
		"window":      func(path string, n node) { s.Window = r.window(path, n) },
		"local_days":  func(path string, n node) { s.LocalDays = r.days(path, n) },
		"local_hours": func(path string, n node) { s.LocalHours = r.hours(path, n) },
		"spread_days": func(path string, n node) {
			days := r.number(path, n, 1, spreadDayMax)
			if s.SpreadDays = int(days); float64(s.SpreadDays) != days {
				r.problem(n.line, path, "want a whole number of days")
			}
		},
		"time_zone": func(path string, n node) {
			s.TimeZone = r.text(path, n)
			if _, err := time.LoadLocation(s.TimeZone); s.TimeZone != "" && (err != nil || s.TimeZone == "Local") {
				r.problem(n.line, path, "want a name of the IANA time zones such as America/Sao_Paulo")
			}
		},
	})
	r.require(path, n, seen, "send")
	if n.kind == mapping && seen["send"] && (s.Send == At) != seen["at"] {
		r.problem(n.line, path, "at: and send: at go together")
	}
	return s
}

func (r *reader) moment(path string, n node) *Moment {
	var m Moment
	r.parsed(path, n, &m)
	return &m
}

func (r *reader) window(path string, n node) (w Window) {
	r.fields(path, n, map[string]take{
		"from": func(path string, n node) { w.From = r.moment(path, n) },
		"to":   func(path string, n node) { w.To = r.moment(path, n) },
	})
	if w.From != nil && w.To != nil && w.From.local == w.To.local && !w.From.at.Before(w.To.at) {
		r.problem(n.line, path, "want from before to")
	}
	return w
}

func (r *reader) days(path string, n node) (out []Weekday) {
	r.texts(path, n, func(path string, n node) {
		var day Weekday
		r.parsed(path, n, &day)
		out = append(out, day)
	})
	return out
}

func (r *reader) hours(path string, n node) *LocalHours {
	h := &LocalHours{}
	before := len(r.problems)
	seen := r.fields(path, n, map[string]take{
		"from": func(path string, n node) { r.parsed(path, n, &h.From) },
		"to":   func(path string, n node) { r.parsed(path, n, &h.To) },
	})
	r.require(path, n, seen, "from", "to")
	if len(r.problems) == before && h.From == h.To {
		r.problem(n.line, path, "want from and to to differ")
	}
	return h
}

func (r *reader) holdout(path string, n node) (h Holdout) {
	r.fields(path, n, map[string]take{
		"control_percent": func(path string, n node) {
			percent := r.number(path, n, 0, 50)
			h.ControlPercent = &percent
		},
		"baseline": func(path string, n node) {
			share := r.number(path, n, 0, 1)
			h.Baseline = &share
		},
	})
	return h
}

func (r *reader) overrides(path string, n node) (o policy.Overrides) {
	r.fields(path, n, map[string]take{
		"include_cold": func(path string, n node) {
			switch text := r.text(path, n); text {
			case "true", "false":
				o.IncludeCold = text == "true"
			default:
				r.problem(n.line, path, "want true or false")
			}
		},
	})
	return o
}

func (r *reader) needs(path string, n node) (out []policy.Rule) {
	r.texts(path, n, func(path string, n node) {
		rule := policy.Rule(r.text(path, n))
		r.unbuilt(path, n, rule)
		out = append(out, rule)
	})
	return out
}

// unbuilt refuses what asks for a rule that nothing here keeps.
func (r *reader) unbuilt(path string, n node, rule policy.Rule) {
	if policy.Unbuilt(rule) {
		r.problem(n.line, path, "this version has no rule %q, and would send without it: leave it out", rule)
	}
}
