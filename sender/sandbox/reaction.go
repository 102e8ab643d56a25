package sandbox

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/sender/plan"
)

// Message is what a customer gets.
type Message struct {
	// ID is the sender's message id: the same message is reacted to in the same
	// way.
	ID         string
	AcceptedAt time.Time
	Category   plan.Category
	// StopButton is the label of its quick reply that stops promotions; empty
	// if it has none.
	StopButton string
}

// Reaction is what becomes of a message. Instants that are zero never come.
type Reaction struct {
	// FailedCode and FailedAt tell of a message that WhatsApp gave up.
	FailedCode int
	FailedAt   time.Time

	SentAt      time.Time
	DeliveredAt time.Time
	// ReadAt is the receipt's; who sends none may have read nevertheless.
	ReadAt time.Time
	Reply  Reply
	// StoppedAt: the customer stopped marketing in WhatsApp's own settings.
	StoppedAt time.Time
	// Order that the message caused.
	OrderedAt   time.Time
	OrderAmount event.Amount
}

// Reply is a message of the customer.
type Reply struct {
	At time.Time
	// Text typed, or the label of the button pressed.
	Text string
	// Button says that it was pressed.
	Button bool
}

// Codes of Meta's that a status can carry ("Error codes"; checked 2026-11-23).
const (
	codeUndeliverable = 131026
	codeWindowClosed  = 131047
	codeNotDelivered  = 131049
	codeStopped       = 131050
)

// React says what a customer does with a message. It depends on the seed, the
// customer and the message alone.
func (w *World) React(customer int, m Message) Reaction {
	draw := w.key.with(reactionDraw).with(uint64(customer)).text(m.ID)
	return w.react(&w.customers[customer], draw, m)
}

func (w *World) react(c *Customer, draw key, m Message) Reaction {
	r := draw.random()
	t := &c.truth
	marketing := m.Category == plan.Marketing
	// All draws are made, in one order, whatever comes of them.
	overload := r.Float64() < overloadRate
	delivered := r.Float64() < deliveredRate
	sentAfter, away := seconds(1+2*r.Float64()), r.Float64() < 0.1
	var is Reaction
	switch {
	case !t.Reachable:
		return failed(m.AcceptedAt.Add(sentAfter), codeUndeliverable)
	case marketing && (t.MarketingBlocked || overload):
		return failed(m.AcceptedAt.Add(sentAfter), codeNotDelivered)
	}
	is.SentAt = m.AcceptedAt.Add(sentAfter)
	if !delivered {
		return is // stays with the sent status: no status ever says "never"
	}
	is.DeliveredAt = is.SentAt.Add(deliveryDelay(r, away))
	hour := hourIn(m.AcceptedAt, c.zone)
	extra := 0.0
	if !marketing {
		extra = utilityLogit
	}
	rate := t.readRate(hour, extra)
	if !t.activeAt(m.AcceptedAt) {
		rate *= inactiveRead
	}
	if r.Float64() >= rate {
		return is
	}
	read := m.AcceptedAt.Add(t.readDelay(r, hour))
	if soonest := is.DeliveredAt.Add(seconds(5 + 40*r.Float64())); read.Before(soonest) {
		read = soonest
	}
	if !t.ReceiptsOff {
		is.ReadAt = read
	}
	w.answer(&is, r, c, m, read, hour)
	return is
}

// answer is what comes after reading.
func (w *World) answer(is *Reaction, r *rand.Rand, c *Customer, m Message, read time.Time, hour float64) {
	t := &c.truth
	stops, way, replies := r.Float64() < t.OptOutRate, r.Float64(), r.Float64() < t.ReplyRate
	switch {
	case m.Category == plan.Marketing && stops && way < 0.25:
		is.StoppedAt = read.Add(seconds(5 + 60*r.Float64()))
	case m.Category == plan.Marketing && stops && way < 0.5 && m.StopButton != "":
		is.Reply = Reply{At: read.Add(replyDelay(r)), Text: m.StopButton, Button: true}
	case m.Category == plan.Marketing && stops:
		is.Reply = Reply{At: read.Add(replyDelay(r)), Text: c.speech.stop}
	case replies:
		is.Reply = Reply{At: read.Add(replyDelay(r)), Text: oneOf(r, c.speech.replies)}
	}
	if m.Category != plan.Marketing || stops {
		return
	}
	if r.Float64() < t.conversion(hour) {
		// Within the 7 days in which an order counts as the message's.
		after := 5*time.Minute + time.Duration(r.ExpFloat64()*float64(9*time.Hour))
		is.OrderedAt = read.Add(min(after, 5*24*time.Hour))
		is.OrderAmount = t.amount(r)
	}
}

func failed(at time.Time, code int) Reaction { return Reaction{FailedAt: at, FailedCode: code} }

// deliveryDelay: within seconds, or when a phone that was off comes back.
func deliveryDelay(r *rand.Rand, away bool) time.Duration {
	if away {
		return min(time.Duration(r.ExpFloat64()*float64(2*time.Hour)), 12*time.Hour)
	}
	return seconds(1 + 8*r.Float64())
}

// readDelay is from acceptance to reading, at most 24 hours: within the hour, or
// when the customer's next hour of attention comes.
func (t *Truth) readDelay(r *rand.Rand, hour float64) time.Duration {
	if r.Float64() < t.fastShare(hour) {
		return min(time.Duration(r.ExpFloat64()*float64(9*time.Minute)), 59*time.Minute)
	}
	peak := t.Peak
	if r.Float64() < secondWeight/(1+secondWeight) {
		peak = t.SecondPeak
	}
	const soonest = 1.02 // hours
	wait := clockHour(peak + 1.3*r.NormFloat64() - hour)
	wait = max(wait, 2*soonest-wait)
	return time.Duration(min(wait, 24) * float64(time.Hour))
}

// replyDelay: 65 % within 3 minutes, 12 % after half an hour.
func replyDelay(r *rand.Rand) time.Duration {
	switch draw := r.Float64(); {
	case draw < 0.65:
		return seconds(8 + 172*r.Float64())
	case draw < 0.88:
		return seconds(180 + 1620*r.Float64())
	default:
		return seconds(1800 + 8*3600*r.Float64())
	}
}

// amount draws an order's value, to the cent.
func (t *Truth) amount(r *rand.Rand) event.Amount {
	cents := math.Round(100 * t.OrderMedian * math.Exp(orderSpread*r.NormFloat64()))
	return event.Amount(max(cents, 100) * 100)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// hourIn is the local time of day in hours, 0 to below 24.
func hourIn(at time.Time, zone *time.Location) float64 {
	h, m, s := at.In(zone).Clock()
	return float64(h) + float64(m)/60 + float64(s)/3600
}
