package sender_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goodhour/goodhour/sender/sandbox"
)

// answer is what the wire says to a submission.
type answer struct {
	status int // 0: the connection closes without an answer
	code   int // of Meta's error; 0 with status 200 accepts
	// taken: the message goes out, whatever the answer says.
	taken  bool
	header map[string]string
	hold   <-chan struct{} // the answer comes when it is closed
}

func accept() answer         { return answer{status: http.StatusOK, taken: true} }
func refuse(code int) answer { return answer{status: http.StatusBadRequest, code: code} }

// submission is one call that asked to send.
type submission struct {
	messageID string
	to        string
	number    string
	at        time.Time // of the virtual clock
	answer    answer
}

// wire speaks Meta's protocol and answers by a script: it is for answers that
// the sandbox does not give.
type wire struct {
	server *httptest.Server
	script func(messageID string, nth int) answer
	now    func() time.Time

	mu          sync.Mutex
	status      string // of the template
	absent      bool   // it is not listed
	addition    string // to its texts
	submissions []submission
	nth         map[string]int
}

func newWire(t testing.TB, script func(messageID string, nth int) answer) *wire {
	t.Helper()
	w := &wire{script: script, nth: make(map[string]int), status: "APPROVED", now: time.Now}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v25.0/{number}/messages", w.messages)
	mux.HandleFunc("GET /v25.0/"+sandbox.DefaultWABAID+"/message_templates", w.templates)
	w.server = httptest.NewServer(mux)
	t.Cleanup(w.server.Close)
	return w
}

func (w *wire) messages(rw http.ResponseWriter, r *http.Request) {
	var body struct {
		To        string `json:"to"`
		Recipient string `json:"recipient"`
		Callback  string `json:"biz_opaque_callback_data"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(rw, "no JSON", http.StatusBadRequest)
		return
	}
	w.mu.Lock()
	w.nth[body.Callback]++
	a := w.script(body.Callback, w.nth[body.Callback])
	w.submissions = append(w.submissions, submission{body.Callback, body.To + body.Recipient, r.PathValue("number"), w.now(), a})
	w.mu.Unlock()
	if a.hold != nil {
		<-a.hold
	}
	if a.status == 0 {
		panic(http.ErrAbortHandler)
	}
	for name, value := range a.header {
		rw.Header().Set(name, value)
	}
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(a.status)
	if a.code == 0 && a.status == http.StatusOK {
		fmt.Fprintf(rw, `{"messaging_product":"whatsapp","contacts":[],"messages":[{"id":"wamid.%s"}]}`, body.Callback)
	} else if a.code != 0 {
		fmt.Fprintf(rw, `{"error":{"code":%d}}`, a.code)
	}
}

func (w *wire) templates(rw http.ResponseWriter, _ *http.Request) {
	w.mu.Lock()
	status, absent, addition := w.status, w.absent, w.addition
	w.mu.Unlock()
	if absent {
		_, _ = rw.Write([]byte(`{"data":[]}`))
		return
	}
	t := arrivals()
	var components []map[string]any
	for _, c := range t.Components {
		component := map[string]any{"type": strings.ToUpper(string(c.Part)), "text": c.Text + addition}
		var buttons []map[string]any
		for _, b := range c.Buttons {
			buttons = append(buttons, map[string]any{"type": strings.ToUpper(string(b.Action)), "text": b.Text, "url": b.URL})
		}
		if buttons != nil {
			component["buttons"] = buttons
		}
		components = append(components, component)
	}
	_ = json.NewEncoder(rw).Encode(map[string]any{"data": []any{map[string]any{
		"id": t.ID, "name": t.Name, "language": t.Language, "status": status, "category": "MARKETING", "components": components,
	}}})
}

func (w *wire) setStatus(status string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status = status
}

// list has the template listed otherwise from now on.
func (w *wire) list(absent bool, addition string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.absent, w.addition = absent, addition
}

func (w *wire) all() []submission {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]submission(nil), w.submissions...)
}

// checkPromise fails the test where a message was submitted again without a
// definite refusal, that is safe to repeat, before it; or accepted twice.
func (w *wire) checkPromise(t testing.TB) {
	t.Helper()
	last, taken := make(map[string]answer), make(map[string]bool)
	for _, s := range w.all() {
		if s.answer.taken && taken[s.messageID] {
			t.Errorf("message %s was taken twice", s.messageID)
		}
		taken[s.messageID] = taken[s.messageID] || s.answer.taken
		if before, again := last[s.messageID]; again && !before.retrySafe() {
			t.Errorf("message %s was submitted again after %+v", s.messageID, before)
		}
		last[s.messageID] = s.answer
	}
}

// retrySafe says whether an answer tells for certain that the message was not
// taken and may be sent later.
func (a answer) retrySafe() bool {
	switch a.code {
	case 4, 613, 80007, 130429, 131056, 131057, 134101, 2494100:
		return true
	}
	return a.status == http.StatusTooManyRequests
}
