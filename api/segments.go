package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/goodhour/goodhour/warehouse"
)

// segmentation is one way in which marts.customers labels every customer.
type segmentation struct {
	name   string // in a segment's name: value:high
	column string // of marts.customers
	labels []string
}

// segmentations in the order of the parameters of sql/segment_customers.sql.
// The labels are those that the model's checks accept.
func segmentations() []segmentation {
	return []segmentation{
		{"value", "value_segment", []string{"low", "mid", "high", "unknown"}},
		{"frequency", "frequency_segment", []string{"monthly", "quarterly", "occasional", "lapsed", "one_time", "none"}},
		{"heat", "heat_class", []string{"hot", "warm", "cool", "cold", "never", "new"}},
	}
}

// parseSegment reads the name of a segment or of an intersection of segments,
// "value:high" or "value:high,heat:hot", in any order. It returns the name in
// the one order of segmentations, and a label or nil for each of them.
func parseSegment(name string) (string, []any, error) {
	all := segmentations()
	labels := make([]any, len(all))
	for part := range strings.SplitSeq(name, ",") {
		key, label, _ := strings.Cut(part, ":")
		i := slices.IndexFunc(all, func(s segmentation) bool { return s.name == key })
		if i < 0 || !slices.Contains(all[i].labels, label) {
			return "", nil, problemf(problemNotFound, "No segment has this name. %s", segmentNames())
		}
		if labels[i] != nil {
			return "", nil, problemf(problemNotFound, "Nobody is in two segments of %s.", key)
		}
		labels[i] = label
	}
	var parts []string
	for i, label := range labels {
		if label != nil {
			parts = append(parts, fmt.Sprintf("%s:%s", all[i].name, label))
		}
	}
	return strings.Join(parts, ","), labels, nil
}

func segmentNames() string {
	var names []string
	for _, s := range segmentations() {
		names = append(names, s.name+":"+strings.Join(s.labels, "|"))
	}
	return "They are " + strings.Join(names, ", ") + ", and intersections such as value:high,heat:hot."
}

// segmentsAnswer is the answer of GET /v1/segments.
type segmentsAnswer struct {
	asOf
	Segmentations []segmentationAnswer `json:"segmentations"`
	// Cells are the non-empty intersections of all three: rows of marts.segments.
	Cells []row `json:"cells"`
}

type segmentationAnswer struct {
	Name string `json:"name"`
	// Definition is what the model says of the column.
	Definition string `json:"definition"`
	// Segments are all of them, the empty ones too.
	Segments []segmentAnswer `json:"segments"`
}

type segmentAnswer struct {
	Name           string `json:"name"` // for /v1/segments/{name}/customers
	Label          string `json:"label"`
	CustomerCount  int64  `json:"customer_count"`
	ReachableCount int64  `json:"reachable_count"`
}

func (s *Server) getSegments(w http.ResponseWriter, r *http.Request) error {
	return s.published(w, func(reader *warehouse.Reader) error {
		sizes, err := rows(r.Context(), reader, query("segments"))
		if err != nil {
			return err
		}
		definitions, err := rows(r.Context(), reader, query("segment_definitions"))
		if err != nil {
			return err
		}
		cells, err := rows(r.Context(), reader, query("segment_cells"))
		if err != nil {
			return err
		}
		answer := segmentsAnswer{asOf: asOfOf(reader), Cells: cells}
		for _, each := range segmentations() {
			out := segmentationAnswer{Name: each.name}
			for _, d := range definitions {
				if d.text("column_name") == each.column {
					out.Definition = d.text("definition")
				}
			}
			for _, label := range each.labels {
				segment := segmentAnswer{Name: each.name + ":" + label, Label: label}
				for _, size := range sizes {
					if size.text("segmentation") == each.name && size.text("label") == label {
						segment.CustomerCount, segment.ReachableCount = size.integer("customer_count"), size.integer("reachable_count")
					}
				}
				out.Segments = append(out.Segments, segment)
			}
			answer.Segmentations = append(answer.Segmentations, out)
		}
		return writeJSON(w, http.StatusOK, answer)
	})
}

func (s *Server) getSegmentCustomers(w http.ResponseWriter, r *http.Request) error {
	name, err := pathSegment(r, "name")
	if err != nil {
		return err
	}
	name, labels, err := parseSegment(name)
	if err != nil {
		return err
	}
	return s.published(w, func(reader *warehouse.Reader) error {
		return s.answerList(w, r, reader, customerList{
			name: "segment-" + name, sql: query("segment_customers"), args: labels,
		})
	})
}
