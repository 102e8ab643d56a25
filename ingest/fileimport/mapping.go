package fileimport

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// mapping says where each field of the kind comes from. All files of an import
// have the same mapping, by heading; each has its own positions.
type mapping struct {
	// columns in the order of the kind's fields.
	columns []MappedField
	// rest are the headings that a preset does not take.
	rest []string
}

// MappedField is one field of the mapping, as the report shows it.
type MappedField struct {
	Field string `json:"field"`
	// Column is the heading, or empty where Value is given.
	Column string `json:"column,omitempty"`
	// Value is what every row has.
	Value string `json:"value,omitempty"`
	// Guessed: the user did not name the column.
	Guessed bool `json:"guessed,omitempty"`
}

// mapColumns finds the fields among the headings of a file. It returns a
// *Refusal with every problem.
func mapColumns(o *Options, headings []string) (*mapping, error) {
	m := &mapping{}
	var problems []string
	taken := map[int]string{}
	var wanted []Field
	for _, f := range Fields(o.Kind) {
		column, named := o.Columns[f.Name]
		switch {
		case named && column != NoColumn:
			i, problem := findHeading(headings, column)
			if problem != "" {
				problems = append(problems, fmt.Sprintf("%s: %s", f.Flag(), problem))
				continue
			}
			taken[i] = f.Name
			m.columns = append(m.columns, MappedField{Field: f.Name, Column: column})
		case o.Values[f.Name] != "":
			m.columns = append(m.columns, MappedField{Field: f.Name, Value: o.Values[f.Name]})
		case !named:
			wanted = append(wanted, f)
		}
	}
	for _, f := range wanted {
		i, problem := guessHeading(f, headings, taken)
		if problem != "" {
			problems = append(problems, problem)
		}
		if i < 0 {
			continue
		}
		taken[i] = f.Name
		m.columns = append(m.columns, MappedField{Field: f.Name, Column: headings[i], Guessed: true})
	}
	m.sort(o.Kind)
	if o.Kind == Orders && len(problems) == 0 && len(o.Columns) == 0 && !m.has("time") && !m.has("amount") {
		return nil, refuse("this does not look like a file of orders: none of its headings (%s) is a time or an amount; if it is one, name its columns "+
			"with --customer COLUMN --time COLUMN --amount COLUMN, or say --no-header if there are no headings, --skip-lines N if they stand further down",
			foundHeadings(headings))
	}
	if o.Kind == Messages {
		problems = append(problems, m.chooseMessageForm()...)
	}
	problems = append(problems, m.missing(o, problems)...)
	if len(problems) > 0 {
		problems = append(problems, "the headings found are "+foundHeadings(headings)+
			" (if that is a row of data, say --no-header; if the table begins further down, --skip-lines N)")
		return nil, &Refusal{Problems: problems}
	}
	return m, nil
}

func (m *mapping) sort(kind Kind) {
	order := fieldNames(kind)
	slices.SortFunc(m.columns, func(a, b MappedField) int {
		return slices.Index(order, a.Field) - slices.Index(order, b.Field)
	})
}

func (m *mapping) has(fields ...string) bool {
	return slices.ContainsFunc(m.columns, func(c MappedField) bool { return slices.Contains(fields, c.Field) })
}

func (m *mapping) drop(fields ...string) {
	m.columns = slices.DeleteFunc(m.columns, func(c MappedField) bool { return slices.Contains(fields, c.Field) })
}

// addSelected adds a column of a select, which is called as its field, or says
// what is wrong with it; besides are the other names that the select may give.
func (m *mapping) addSelected(kind Kind, name, besides string) (problem string) {
	switch {
	case !isField(kind, name):
		return fmt.Sprintf("the select's column %q is not a field of %s: want %s%s", name, kind, strings.Join(fieldNames(kind), ", "), besides)
	case m.has(name):
		return fmt.Sprintf("the select has two columns named %s", name)
	}
	m.columns = append(m.columns, MappedField{Field: name, Column: name})
	return ""
}

// addValues adds the fields that have one value for every row.
func (m *mapping) addValues(o *Options) {
	for _, name := range sortedKeys(o.Values) {
		m.columns = append(m.columns, MappedField{Field: name, Value: o.Values[name]})
	}
}

// momentFields are the times of a messages file with one row per message.
var momentFields = []string{"sent_at", "delivered_at", "read_at", "replied_at", "failed_at"}

// chooseMessageForm keeps one of the two forms of a messages file: a row per
// message with a time for each thing that happened to it, or a row per status.
// What the user named wins over what was guessed.
func (m *mapping) chooseMessageForm() []string {
	if !m.has(momentFields...) || !m.has("status", "time") {
		return nil
	}
	statusNamed, momentsNamed := false, false
	for _, c := range m.columns {
		statusNamed = statusNamed || !c.Guessed && (c.Field == "status" || c.Field == "time")
		momentsNamed = momentsNamed || !c.Guessed && slices.Contains(momentFields, c.Field)
	}
	switch {
	case statusNamed && momentsNamed:
		return []string{"a messages file has a status and its time in each row, or a time for each status (sent_at, read_at, …): name the columns of one form only"}
	case statusNamed:
		m.drop(momentFields...)
	default:
		m.drop("status", "time")
	}
	return nil
}

// missing says which fields are required and not there; those with a problem
// of their own are not told twice.
func (m *mapping) missing(o *Options, told []string) []string {
	var problems []string
	for _, f := range Fields(o.Kind) {
		if !f.Required || m.has(f.Name) || f.Name == "currency" || mentioned(told, f.Flag()) {
			continue // the currency may stand beside the amounts: see evidence
		}
		problems = append(problems, fmt.Sprintf("no column for %s (%s): name it with %s COLUMN, or give every row one value with --value %s=…",
			f.Name, f.Doc, f.Flag(), f.Name))
	}
	if !m.has("customer", "phone", "email") && !mentioned(told, "--customer") && !mentioned(told, "--phone") && !mentioned(told, "--email") {
		problems = append(problems, "no column says who a row is about: name it with --customer COLUMN, --phone COLUMN or --email COLUMN")
	}
	switch o.Kind {
	case Orders, Customers:
	case Consents:
		if !m.has("state", "opted_out") {
			problems = append(problems, "no column says whether it is an opt-in: name it with --state COLUMN (yes means in) or --opted-out COLUMN (yes means out)")
		}
		if m.has("state") && m.has("opted_out") {
			problems = append(problems, "both --state and --opted-out have a column: leave one out with -")
		}
	case Messages:
		if !m.has(momentFields...) && (!m.has("status") || !m.has("time")) {
			problems = append(problems, "no column says what happened to a message: name --status and --time, or one or more of --sent-at, --delivered-at, --read-at, --replied-at, --failed-at")
		}
		if m.has("status") && !m.has("provider_message_id") {
			problems = append(problems, "a file with a row per status needs the message's id, or its rows do not belong together: name it with --provider-message-id COLUMN")
		}
	}
	return problems
}

func mentioned(problems []string, flag string) bool {
	return slices.ContainsFunc(problems, func(p string) bool { return strings.HasPrefix(p, flag+":") })
}

// guessHeading finds a field's column by what such columns are called.
func guessHeading(f Field, headings []string, taken map[int]string) (index int, problem string) {
	for _, tier := range f.headings {
		var found []int
		for i, h := range headings {
			if _, used := taken[i]; !used && slices.Contains(tier, plainHeading(h)) {
				found = append(found, i)
			}
		}
		switch len(found) {
		case 0:
			continue
		case 1:
			return found[0], ""
		}
		var names []string
		for _, i := range found {
			names = append(names, reference(headings, i))
		}
		return -1, fmt.Sprintf("%s: %s may each be meant: say which one, or %s - for none",
			f.Flag(), strings.Join(names, " and "), f.Flag())
	}
	return -1, ""
}

// reference is how to name a heading in an option: by itself, or where it
// stands twice by its position.
func reference(headings []string, i int) string {
	for j, h := range headings {
		if j != i && h == headings[i] {
			return "#" + strconv.Itoa(i+1)
		}
	}
	return strconv.Quote(headings[i])
}

// findHeading finds a column that the user named: exactly, else without regard
// to case, or by its position as #3.
func findHeading(headings []string, name string) (index int, problem string) {
	if number, found := strings.CutPrefix(name, "#"); found && !slices.Contains(headings, name) {
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || n > len(headings) {
			return 0, fmt.Sprintf("there is no column %s; the file has %d", name, len(headings))
		}
		return n - 1, ""
	}
	for _, equal := range []func(a, b string) bool{func(a, b string) bool { return a == b }, strings.EqualFold} {
		var found []int
		for i, h := range headings {
			if equal(h, name) {
				found = append(found, i)
			}
		}
		if len(found) == 1 {
			return found[0], ""
		}
		if len(found) > 1 {
			return 0, fmt.Sprintf("%q stands over %d columns: say #%d for the first of them", name, len(found), found[0]+1)
		}
	}
	return 0, fmt.Sprintf("no column is headed %q", name)
}

// listHeadings shows headings in a message, at most so many of them.
func listHeadings(headings []string) string {
	const most = 40
	var quoted []string
	for i, h := range headings {
		if i == most {
			quoted = append(quoted, fmt.Sprintf("and %d more", len(headings)-most))
			break
		}
		if len(h) > 64 {
			h = h[:64] + "…"
		}
		quoted = append(quoted, strconv.Quote(h))
	}
	return strings.Join(quoted, ", ")
}

// foundHeadings are the headings in a message about them. Where one is rather a
// value, an address or a long number, they are a row of a file that has none, and
// no message may quote that.
func foundHeadings(headings []string) string {
	if slices.ContainsFunc(headings, func(h string) bool {
		digits := len(h) - len(strings.Map(func(r rune) rune {
			if unicode.IsDigit(r) {
				return -1
			}
			return r
		}, h))
		return strings.ContainsRune(h, '@') || digits >= 7
	}) {
		return "a row that looks like data"
	}
	return listHeadings(headings)
}

// positions are where the mapped columns stand in a file with these headings.
// A column that is not there is an error, or where it may be missing -1.
func (m *mapping) positions(headings []string, mayMiss bool) ([]int, error) {
	var positions []int
	var problems []string
	for _, c := range m.columns {
		if c.Column == "" {
			continue
		}
		i, problem := findHeading(headings, c.Column)
		switch {
		case problem != "" && mayMiss:
			i = -1
		case problem != "":
			problems = append(problems, problem+", as another file has it")
		}
		positions = append(positions, i)
	}
	if len(problems) > 0 {
		return nil, &Refusal{Problems: problems}
	}
	return positions, nil
}

// columnFields are the fields that have a column, in the order of positions.
func (m *mapping) columnFields() []string {
	var fields []string
	for _, c := range m.columns {
		if c.Column != "" {
			fields = append(fields, c.Field)
		}
	}
	return fields
}

// unused are the headings that no field takes.
func (m *mapping) unused(headings []string) []string {
	if m.rest != nil {
		return m.rest
	}
	var used []int
	for _, c := range m.columns {
		if i, problem := findHeading(headings, c.Column); c.Column != "" && problem == "" {
			used = append(used, i)
		}
	}
	var rest []string
	for i, h := range headings {
		if !slices.Contains(used, i) {
			rest = append(rest, h)
		}
	}
	return rest
}
