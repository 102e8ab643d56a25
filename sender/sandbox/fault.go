package sandbox

import (
	"errors"
	"fmt"
	"time"
)

// Faults are shares, 0 to 1, of what goes wrong. Which submissions and webhooks
// they meet depends on the seed and the message id, and for submissions on how
// often it was submitted. The zero value is a provider without faults.
type Faults struct {
	Seed uint64 `json:"seed" yaml:"seed"`
	// RateLimited: refused before anything was taken, half by HTTP 429 without
	// a code, half by code 130429.
	RateLimited float64 `json:"rate_limited" yaml:"rate_limited"`
	// ServerErrorBefore: HTTP 500, and the message was not taken.
	ServerErrorBefore float64 `json:"server_error_before" yaml:"server_error_before"`
	// ServerErrorAfter: HTTP 500, and the message was taken.
	ServerErrorAfter float64 `json:"server_error_after" yaml:"server_error_after"`
	// LostResponse: the message was taken, and the connection closes without
	// an answer.
	LostResponse float64 `json:"lost_response" yaml:"lost_response"`
	// NotJSON: of the answers above, those that a gateway writes, in HTML.
	NotJSON float64 `json:"not_json" yaml:"not_json"`
	// DuplicateWebhook: a status or message is told again, minutes later.
	DuplicateWebhook float64 `json:"duplicate_webhook" yaml:"duplicate_webhook"`
	// LateWebhook: it is told LateBy later than it happened. Zero means an hour.
	LateWebhook float64       `json:"late_webhook" yaml:"late_webhook"`
	LateBy      time.Duration `json:"late_by" yaml:"late_by"`
	// DisorderedWebhook: of the messages, those whose statuses come in reverse.
	DisorderedWebhook float64 `json:"disordered_webhook" yaml:"disordered_webhook"`
}

// Validate says what is wrong with the shares.
func (f Faults) Validate() error {
	var faults []error
	for name, share := range map[string]float64{
		"rate_limited": f.RateLimited, "server_error_before": f.ServerErrorBefore, "server_error_after": f.ServerErrorAfter,
		"lost_response": f.LostResponse, "not_json": f.NotJSON, "duplicate_webhook": f.DuplicateWebhook,
		"late_webhook": f.LateWebhook, "disordered_webhook": f.DisorderedWebhook,
	} {
		if !(share >= 0 && share <= 1) {
			faults = append(faults, fmt.Errorf("faults: %s: want a share of 0 to 1", name))
		}
	}
	if !(f.RateLimited+f.ServerErrorBefore+f.ServerErrorAfter+f.LostResponse <= 1) {
		faults = append(faults, errors.New("faults: the shares of submissions sum to over 1"))
	}
	if f.LateBy < 0 {
		faults = append(faults, errors.New("faults: late_by: below zero"))
	}
	return errors.Join(faults...)
}

// Trouble is what was injected into one submission.
type Trouble string

const (
	noTrouble         Trouble = ""
	rateLimited       Trouble = "rate_limited"      // refused with 130429
	tooMany           Trouble = "too_many_requests" // refused with HTTP 429
	serverErrorBefore Trouble = "server_error_before"
	serverErrorAfter  Trouble = "server_error_after"
	lostResponse      Trouble = "lost_response"
)

// trouble draws for the nth submission of a message, and whether the answer is
// HTML.
func (f *Faults) trouble(messageID string, nth int) (t Trouble, html bool) {
	draw := key(0).with(f.Seed).with(faultDraw).text(messageID).with(uint64(nth))
	html = draw.with(1).share() < f.NotJSON
	share := draw.share()
	for _, one := range []struct {
		share float64
		is    Trouble
	}{
		{f.RateLimited / 2, tooMany},
		{f.RateLimited / 2, rateLimited},
		{f.ServerErrorBefore, serverErrorBefore},
		{f.ServerErrorAfter, serverErrorAfter},
		{f.LostResponse, lostResponse},
	} {
		if share < one.share {
			return one.is, html
		}
		share -= one.share
	}
	return noTrouble, false
}

const (
	lateByDefault = time.Hour
	againWithin   = 10 * time.Minute
)

// disturb makes the webhooks of one message late, disordered and double. Times
// inside them stay true.
func (f *Faults) disturb(messageID string, steps []step) []step {
	draw := key(0).with(f.Seed).with(faultDraw).text(messageID).text("webhooks")
	if draw.share() < f.DisorderedWebhook {
		reverse(steps)
	}
	lateBy := f.LateBy
	if lateBy == 0 {
		lateBy = lateByDefault
	}
	for i := range steps {
		own := draw.with(uint64(i))
		if own.with(1).share() < f.LateWebhook {
			steps[i].due = steps[i].due.Add(lateBy)
		}
		if own = own.with(2); own.share() < f.DuplicateWebhook {
			again := steps[i]
			again.due = again.due.Add(time.Second + time.Duration(own.with(1).share()*float64(againWithin)))
			steps = append(steps, again)
		}
	}
	return steps
}

// reverse gives the first status the last one's due time, and so on.
func reverse(steps []step) {
	var statuses []int
	for i := range steps {
		if steps[i].is.isStatus() {
			statuses = append(statuses, i)
		}
	}
	for i, j := 0, len(statuses)-1; i < j; i, j = i+1, j-1 {
		a, b := &steps[statuses[i]], &steps[statuses[j]]
		a.due, b.due = b.due, a.due
	}
}
