package api

import (
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/goodhour/goodhour/warehouse"
)

// funnelAnswer is how far messages got, and the rates with what they rest on.
type funnelAnswer struct {
	asOf
	Definition string `json:"definition"`
	// Campaign, From and To are the filters; null means all.
	Campaign *string    `json:"campaign"`
	From     *time.Time `json:"from"`
	To       *time.Time `json:"to"`
	// N is the messages that the funnel is of.
	N     int64        `json:"n"`
	Steps []funnelStep `json:"steps"`
	Rates []share      `json:"rates"`
}

type funnelStep struct {
	Name       string `json:"name"`
	Definition string `json:"definition"`
	Count      int64  `json:"count"`
}

// share is a rate with its base and its interval.
type share struct {
	Name       string `json:"name"`
	Definition string `json:"definition"`
	Count      int64  `json:"count"`
	N          int64  `json:"n"`
	// Value, Low and High are null where N is 0.
	Value *float64 `json:"value"`
	Low   *float64 `json:"low"`
	High  *float64 `json:"high"`
}

func newShare(name, definition string, count, n int64) share {
	out := share{Name: name, Definition: definition, Count: count, N: n}
	if n > 0 {
		value := float64(count) / float64(n)
		low, high := wilson(count, n)
		out.Value, out.Low, out.High = &value, &low, &high
	}
	return out
}

// wilson is the 95 % score interval of a share (Wilson 1927, JASA 22, 209–212).
func wilson(count, n int64) (low, high float64) {
	const z = 1.959963984540054 // the normal quantile of .975
	share, size := float64(count)/float64(n), float64(n)
	centre := share + z*z/(2*size)
	margin := z * math.Sqrt(share*(1-share)/size+z*z/(4*size*size))
	scale := 1 + z*z/size
	return max(0, (centre-margin)/scale), min(1, (centre+margin)/scale)
}

func (s *Server) getFunnel(w http.ResponseWriter, r *http.Request) error {
	from, err := instant(r, "from")
	if err != nil {
		return err
	}
	to, err := instant(r, "to")
	if err != nil {
		return err
	}
	if !from.IsZero() && !to.IsZero() && !from.Before(to) {
		return problemf(problemInvalidParameter, "to: want a time after from; it is not part of the span itself.")
	}
	campaign := r.URL.Query().Get("campaign")
	return s.published(w, func(reader *warehouse.Reader) error {
		args := []any{orNull(campaign), timeOrNull(from), timeOrNull(to)}
		counted, err := rows(r.Context(), reader, query("funnel"), args...)
		if err != nil {
			return err
		}
		if campaign != "" && counted[0].integer("message_count") == 0 {
			known, err := rows(r.Context(), reader, query("campaign_known"), campaign)
			if err != nil {
				return err
			}
			if len(known) == 0 {
				return problemf(problemNotFound, "No campaign has this id.")
			}
		}
		answer := funnelOf(counted[0])
		answer.asOf = asOfOf(reader)
		if campaign != "" {
			answer.Campaign = &campaign
		}
		if !from.IsZero() {
			answer.From = &from
		}
		if !to.IsZero() {
			answer.To = &to
		}
		return writeJSON(w, http.StatusOK, answer)
	})
}

// funnelOf puts the row of sql/funnel.sql into words.
func funnelOf(counted row) funnelAnswer {
	count := counted.integer
	mature := fmt.Sprintf("messages at least %d hours old", count("mature_hours"))
	settled := fmt.Sprintf("messages at least %d days old", count("conversion_days"))
	return funnelAnswer{
		Definition: "Messages by their first event, with a campaign or without. A read proves a delivery, an answer proves a read.",
		N:          count("message_count"),
		Steps: []funnelStep{
			{"messages", "messages that there are, those of other systems included", count("message_count")},
			{"accepted", "accepted by the provider", count("accepted_count")},
			{"delivered", "on the customer's device", count("delivered_count")},
			{"read", "read: a receipt, or an answer", count("read_count")},
			{"replied", "answered in words, by button or with media", count("replied_count")},
			{"ordered", "with an order credited: it was the last marketing message before it", count("ordered_count")},
		},
		Rates: []share{
			newShare("delivery_rate", "delivered ÷ accepted, of "+mature, count("mature_delivered_count"), count("mature_accepted_count")),
			newShare("read_rate", "read ÷ delivered, of "+mature+" to customers whose receipts are seen",
				count("mature_read_count"), count("mature_readable_count")),
			newShare("reply_rate", "replied ÷ delivered, of "+mature, count("mature_replied_count"), count("mature_delivered_count")),
			newShare("conversion_rate", "with an order credited ÷ delivered, of "+settled+"; credited is not caused",
				count("converted_count"), count("conversion_base_count")),
		},
	}
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func timeOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}
