package fileimport

import (
	"strings"

	"github.com/goodhour/goodhour/ingest/event"
)

func (b *builder) buildCustomer(values []string, row *built) Reason {
	t, why := b.readTime(b.time, values, row)
	if why != "" {
		return why
	}
	data := event.CustomerUpdatedData{Person: row.person.identifiers(), Name: b.cells["name"].of(values)}
	if s := b.cells["customer_time_zone"].of(values); s != "" {
		if b.zones.known(s) {
			data.TimeZone = s
		} else {
			b.note(asideTimeZone)
		}
	}
	if s := b.cells["country"].of(values); s != "" {
		if isRegion(s) {
			data.Country = strings.ToUpper(s)
		} else {
			b.note(asideCountry)
		}
	}
	if s := b.cells["language"].of(values); s != "" {
		if tag, ok := readLanguage(s); ok {
			data.Language = tag
		} else {
			b.note(asideLanguage)
		}
	}
	if s := b.cells["tags"].of(values); s != "" {
		if tags, ok := readTags(s); ok {
			data.Tags = tags
		} else {
			b.note(asideTags)
		}
	}
	b.only(row, draft{kind: event.CustomerUpdated, time: t, data: func(string) event.Data { return data }})
	return ""
}

// consentSource is what a consent from a file says of its own origin.
const consentSource = "import"

func (b *builder) buildConsent(values []string, row *built) Reason {
	t, why := b.readTime(b.time, values, row)
	if why != "" {
		return why
	}
	category, ok := readCategory(b.cells["category"].of(values))
	if !ok {
		return reasonCategory
	}
	in, why := b.readState(values)
	if why != "" {
		return why
	}
	data := event.ConsentChangedData{
		Person: row.person.identifiers(), Category: category, State: "opted_out",
		Source: consentSource, Evidence: b.cells["evidence"].of(values),
	}
	row.consent = 0
	if in {
		data.State, row.consent = "opted_in", 1
	}
	b.only(row, draft{kind: event.ConsentChanged, time: t, data: func(string) event.Data { return data }})
	return ""
}

// readState reads whether the row is an opt-in. An empty cell says nothing and
// is never a consent.
func (b *builder) readState(values []string) (in bool, why Reason) {
	if c := b.cells["opted_out"]; c.mapped() {
		text := c.of(values)
		if text == "" {
			return false, reasonNoState
		}
		out, ok := readYesNo(text)
		if !ok {
			return false, reasonState
		}
		return !out, ""
	}
	text := b.cells["state"].of(values)
	if text == "" {
		return false, reasonNoState
	}
	in, ok := readConsent(text)
	if !ok {
		return false, reasonState
	}
	return in, ""
}
