package api

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"

	"github.com/goodhour/goodhour/warehouse"
)

func (s *Server) getSnapshots(w http.ResponseWriter, r *http.Request) error {
	return s.published(w, func(reader *warehouse.Reader) error {
		metrics, err := rows(r.Context(), reader, query("snapshots"))
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, struct {
			asOf
			Metrics []row `json:"metrics"`
		}{asOfOf(reader), metrics})
	})
}

// snapshotCursor names the last row of the page before.
type snapshotCursor struct {
	Metric    string    `json:"m"`
	AsOf      time.Time `json:"a"`
	Dimension string    `json:"d"`
	TakenAt   time.Time `json:"t"`
}

// snapshotPage is a page of the snapshots of one metric, newest as-of first.
// Where an as-of time has several rows of one dimension, the first holds and
// the others are what was said before.
type snapshotPage struct {
	asOf
	Metric     string  `json:"metric"`
	Snapshots  []row   `json:"snapshots"`
	NextCursor *string `json:"next_cursor"`
}

func (s *Server) getSnapshot(w http.ResponseWriter, r *http.Request) error {
	metric, err := pathSegment(r, "metric")
	if err != nil {
		return err
	}
	from, err := instant(r, "from")
	if err != nil {
		return err
	}
	to, err := instant(r, "to")
	if err != nil {
		return err
	}
	limit, err := wholeNumber(r, "limit", pageStandard, pageMost)
	if err != nil {
		return err
	}
	after, err := parseSnapshotCursor(r.URL.Query().Get("cursor"), metric)
	if err != nil {
		return err
	}
	return s.published(w, func(reader *warehouse.Reader) error {
		args := []any{metric, timeOrNull(from), timeOrNull(to), nil, nil, nil, int64(limit) + 1}
		if after != nil {
			args[3], args[4], args[5] = after.AsOf, after.Dimension, after.TakenAt
		}
		found, err := rows(r.Context(), reader, query("snapshot"), args...)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			known, err := rows(r.Context(), reader, query("snapshot_known"), metric)
			if err != nil {
				return err
			}
			if len(known) == 0 {
				return problemf(problemNotFound, "No metric of this name has a snapshot; GET /v1/snapshots lists those that have.")
			}
		}
		page := snapshotPage{asOf: asOfOf(reader), Metric: metric, Snapshots: found}
		if len(found) > limit {
			page.Snapshots = found[:limit]
			next, err := snapshotCursorOf(metric, found[limit-1])
			if err != nil {
				return err
			}
			page.NextCursor = &next
		}
		return writeJSON(w, http.StatusOK, page)
	})
}

func snapshotCursorOf(metric string, last row) (string, error) {
	b, err := json.Marshal(snapshotCursor{
		metric, last.value("as_of").(time.Time), last.text("dimension"), last.value("taken_at").(time.Time),
	})
	return base64.RawURLEncoding.EncodeToString(b), err
}

func parseSnapshotCursor(text, metric string) (*snapshotCursor, error) {
	if text == "" {
		return nil, nil
	}
	var c snapshotCursor
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil || c.Metric != metric {
		return nil, problemf(problemInvalidParameter, "cursor: not one of this metric; begin without, and then send next_cursor as it came.")
	}
	return &c, nil
}
