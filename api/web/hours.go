package web

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// hoursBody is what the page of the best hours shows.
type hoursBody struct {
	// Missing: the published file has no marts.send_hours.
	Missing    bool
	Map, Curve table
}

// hourRow is one segment over the 24 hours.
type hourRow struct {
	kind, segment string
	hours         [24]*row
	messages      int64
}

func (h *hourRow) id() string { return h.kind + ":" + h.segment }

func (p *Pages) hours(r *request) (view, error) {
	title := r.T("Best hours")
	if r.reader == nil {
		return p.unpublished(r, title), nil
	}
	if !r.has("marts.send_hours") {
		return view{template: "hours", title: title, body: hoursBody{Missing: true}}, nil
	}
	found, err := r.rows("send_hours")
	if err != nil {
		return view{}, err
	}
	definitions, err := r.definitions("marts", "send_hours")
	if err != nil {
		return view{}, err
	}
	segments := hourRows(found)
	if len(segments) == 0 {
		return view{template: "hours", title: title, body: hoursBody{}}, nil
	}
	first, last := usedHours(segments)
	body := hoursBody{Map: r.hourMap(definitions, first, last)}
	chosen := segments[0]
	for _, s := range segments {
		body.Map.Rows = append(body.Map.Rows, r.hourLine(s, first, last))
		if s.id() == r.URL.Query().Get("segment") {
			chosen = s
		}
	}
	body.Curve = r.hourCurve(chosen, definitions)
	return view{template: "hours", title: title, body: body}, nil
}

// hourRows gathers the rows, which are in the order of segment and hour.
func hourRows(found []row) []*hourRow {
	var out []*hourRow
	for i := range found {
		each := &found[i]
		hour := each.count("hour_local")
		if hour < 0 || hour > 23 {
			continue
		}
		n := len(out)
		if n == 0 || out[n-1].kind != each.text("segment_kind") || out[n-1].segment != each.text("segment") {
			out = append(out, &hourRow{kind: each.text("segment_kind"), segment: each.text("segment")})
			n++
		}
		out[n-1].hours[hour] = each
		out[n-1].messages += each.count("message_count")
	}
	return out
}

// used says whether an hour has messages, or may have marketing.
func used(hour *row) bool {
	return hour != nil && (hour.count("message_count") > 0 || hour.flag("is_allowed"))
}

// usedHours is the span that holds every used hour of every segment.
func usedHours(segments []*hourRow) (first, last int) {
	first = 23
	for _, s := range segments {
		for i, hour := range s.hours {
			if used(hour) {
				first, last = min(first, i), max(last, i)
			}
		}
	}
	return first, last
}

// hourName is a segment's: "all customers", or "value: high".
func (r *request) hourName(s *hourRow) string {
	if s.kind == "all" {
		return r.T("all customers")
	}
	return r.T("%s: %s", r.Words(strings.TrimSuffix(s.kind, "_segment")), r.Words(s.segment))
}

func (r *request) hourMap(definitions map[string]string, first, last int) table {
	out := table{
		Caption: r.T("Response by segment and local hour"),
		Note: r.T("In percent: %s. Shaded within each line, among the hours at which marketing may go out; the best has a ring: %s. Choose a segment to see its curve.",
			definitions["smoothed_rate"], definitions["is_best"]),
		Columns: []column{{Name: r.T("Segment")}},
	}
	for hour := first; hour <= last; hour++ {
		out.Columns = append(out.Columns, column{Name: strconv.Itoa(hour), Number: true})
	}
	out.Columns = append(out.Columns, column{Name: r.T("messages"), Number: true})
	return out
}

// hourLine is a segment's line of the heat map, of smoothed rates: a raw one of
// a few messages says nothing. It is shaded within the line, between its lowest
// and its highest, for the hours of a segment are compared with each other.
func (r *request) hourLine(s *hourRow, first, last int) []cell {
	low, high := 1.0, 0.0
	for _, hour := range s.hours {
		if hour != nil && hour.flag("is_allowed") {
			smoothed, _ := hour.number("smoothed_rate")
			low, high = min(low, smoothed), max(high, smoothed)
		}
	}
	line := []cell{{Text: r.hourName(s), Link: "/hours?segment=" + url.QueryEscape(s.id()) + "#curve"}}
	for i := first; i <= last; i++ {
		hour := s.hours[i]
		if !used(hour) {
			line = append(line, cell{Text: "·", Help: r.T("no messages, and no marketing at this hour")})
			continue
		}
		smoothed, _ := hour.number("smoothed_rate")
		c := cell{
			Text: r.Decimal(100*smoothed, 0), Raw: strconv.FormatFloat(smoothed, 'g', 6, 64), Mark: hour.flag("is_best"),
			Help: r.T("%s: %d of %d messages", fmt.Sprintf("%d:00", i), hour.count("response_count"), hour.count("message_count")),
		}
		switch {
		case !hour.flag("is_allowed"):
			c.Help += r.T("; no marketing at this hour")
		case high > low:
			c.Level = 1 + int((levels-1)*(smoothed-low)/(high-low)+0.5)
		}
		line = append(line, c)
	}
	return append(line, r.countCell(s.messages))
}

// hourCurve is one segment's hours with their intervals.
func (r *request) hourCurve(s *hourRow, definitions map[string]string) table {
	out := table{
		Caption: r.T("Response through the day: %s", r.hourName(s)), Chart: "band", Note: r.T("Responses per message, with the 95%% interval; the dashed line is drawn together with the hours beside it. Responses: %s.", definitions["responses"]),
		Columns: []column{
			{Name: r.T("Local hour")},
			{Name: r.T("Response rate"), Number: true, Draw: true, Percent: true, Role: "value"},
			{Name: r.T("Low"), Number: true, Draw: true, Percent: true, Role: "low", Help: r.T("lower end of the interval")},
			{Name: r.T("High"), Number: true, Draw: true, Percent: true, Role: "high", Help: r.T("upper end of the interval")},
			{Name: r.T("Smoothed"), Number: true, Draw: true, Percent: true, Role: "smooth", Help: definitions["smoothed_rate"]},
			{Name: r.T("Responses"), Number: true, Help: definitions["responses"]},
			{Name: r.T("Messages"), Number: true},
			{Name: r.T("Best"), Role: "mark"},
		},
	}
	for i, hour := range s.hours {
		if hour == nil {
			continue
		}
		rate, known := hour.number("rate")
		low, knownLow := hour.number("rate_low")
		high, knownHigh := hour.number("rate_high")
		smoothed, knownSmoothed := hour.number("smoothed_rate")
		knownSmoothed = knownSmoothed && used(hour)
		best := cell{}
		if hour.flag("is_best") {
			best = cell{Text: r.T("best"), Mark: true}
		}
		out.Rows = append(out.Rows, []cell{
			text(fmt.Sprintf("%02d:00", i)), r.rateCell(rate, known), r.rateCell(low, knownLow), r.rateCell(high, knownHigh),
			r.rateCell(smoothed, knownSmoothed), r.countCell(hour.count("response_count")), r.countCell(hour.count("message_count")), best,
		})
	}
	return out
}
