package api

import (
	"context"
	"net/http"
	"time"
)

// statusTimeout bounds how long the other parts may take to say how they are.
const statusTimeout = 2 * time.Second

// Status is how the other parts of the process are.
type Status struct {
	// Checks that decide whether /readyz says ready, beside the API's own
	// ("published_file", "keys").
	Checks []Check
	// Partitions of the topics that are loaded.
	Partitions []Partition
}

// Check is one condition of being ready.
type Check struct {
	// Name is snake_case, of a closed set: it becomes a metric's label.
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// Detail says what is wrong and how to mend it; anyone may read it.
	Detail string `json:"detail,omitempty"`
}

// Partition is how far a partition is loaded.
type Partition struct {
	Topic     string
	Partition int32
	// NextOffset is the one to be loaded next; -1: nothing was loaded yet.
	NextOffset int64
	// HighWatermark is the log's end as last seen; -1: not seen yet.
	HighWatermark int64
	// LastReceivedAt is Kafka's time of the newest record loaded since the
	// process began; zero: none.
	LastReceivedAt time.Time
	// Stopped says why the partition waits for an operator; empty: it does not.
	Stopped string
	// Error is what keeps it from being read now; it is tried again. Empty: nothing.
	Error string
}

// behind is how many offsets are still to be loaded; -1: not known.
func (p *Partition) behind() int64 {
	if p.NextOffset < 0 || p.HighWatermark < 0 {
		return -1
	}
	return max(0, p.HighWatermark-p.NextOffset)
}

// currentStatus is the other parts' status with the API's own checks.
func (s *Server) currentStatus(ctx context.Context) Status {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	status := s.status(ctx)
	file := Check{Name: "published_file", OK: true}
	if _, ok := s.publication(); !ok {
		file.OK, file.Detail = false, "No model run has published a file yet."
	}
	keys := Check{Name: "keys", OK: true}
	if _, err := s.keys.none(); err != nil {
		keys.OK, keys.Detail = false, "The key file cannot be read; the server's log says more."
	}
	status.Checks = append([]Check{file, keys}, status.Checks...)
	return status
}

func (s *Server) getLive(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, map[string]bool{"live": true})
}

func (s *Server) getReady(w http.ResponseWriter, r *http.Request) error {
	checks := s.currentStatus(r.Context()).Checks
	status, ready := http.StatusOK, true
	for _, c := range checks {
		if !c.OK {
			status, ready = http.StatusServiceUnavailable, false
		}
	}
	return writeJSON(w, status, struct {
		Ready  bool    `json:"ready"`
		Checks []Check `json:"checks"`
	}{ready, checks})
}

func (s *Server) getVersion(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, map[string]string{"version": s.version})
}

// lagPartition is a Partition on the wire.
type lagPartition struct {
	Topic          string     `json:"topic"`
	Partition      int32      `json:"partition"`
	NextOffset     *int64     `json:"next_offset"`
	HighWatermark  *int64     `json:"high_watermark"`
	RecordsBehind  *int64     `json:"records_behind"`
	LastReceivedAt *time.Time `json:"last_received_at"`
	Stopped        *string    `json:"stopped"`
	Error          *string    `json:"error"`
}

func (s *Server) getLag(w http.ResponseWriter, r *http.Request) error {
	status := s.currentStatus(r.Context())
	body := struct {
		RecordsBehind *int64         `json:"records_behind"` // null while one is unknown
		Partitions    []lagPartition `json:"partitions"`
	}{Partitions: make([]lagPartition, len(status.Partitions))}
	total, complete := int64(0), true
	for i, p := range status.Partitions {
		out := &body.Partitions[i]
		out.Topic, out.Partition = p.Topic, p.Partition
		out.NextOffset, out.HighWatermark, out.RecordsBehind = known(p.NextOffset), known(p.HighWatermark), known(p.behind())
		if !p.LastReceivedAt.IsZero() {
			at := p.LastReceivedAt.UTC()
			out.LastReceivedAt = &at
		}
		if p.Stopped != "" {
			out.Stopped = &p.Stopped
		}
		if p.Error != "" {
			out.Error = &p.Error
		}
		total += p.behind()
		complete = complete && p.behind() >= 0
	}
	if complete {
		body.RecordsBehind = &total
	}
	return writeJSON(w, http.StatusOK, body)
}

// known is null for a number that is not known.
func known(n int64) *int64 {
	if n < 0 {
		return nil
	}
	return &n
}

func (s *Server) getProblem(w http.ResponseWriter, r *http.Request) error {
	name, err := pathSegment(r, "type")
	if err != nil {
		return err
	}
	for _, kind := range problemKinds() {
		if kind.name == name {
			return writeJSON(w, http.StatusOK, struct {
				Type   string `json:"type"`
				Title  string `json:"title"`
				Status int    `json:"status"`
				Mend   string `json:"mend"`
			}{kind.uri(), kind.title, kind.status, kind.mend})
		}
	}
	return problemf(problemNotFound, "No problem has this type.")
}
