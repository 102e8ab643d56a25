package sandbox

import (
	"math"
	"time"
)

// Tier is how much a customer spends on an order.
type Tier string

// The tiers: on average about 30, 95 and 320 of the world's currency. Order
// values scatter, so a model's segment by observed average may differ.
const (
	Low  Tier = "low"
	Mid  Tier = "mid"
	High Tier = "high"
)

// Truth is what really drives a customer, which models can only estimate.
// Hours are local and continuous: 20.5 is half past eight in the evening.
type Truth struct {
	Tier Tier
	// Consented: an opt-in to marketing was imported.
	Consented bool
	// Reachable: has WhatsApp. If not, every message fails with 131026.
	Reachable bool
	// MarketingBlocked: a US number, to which marketing fails with 131049.
	MarketingBlocked bool
	// ReceiptsOff: reads, but sends no receipt.
	ReceiptsOff bool
	// ActiveUntil: after it the customer buys no more by itself and reads a
	// tenth as often. Zero: for good.
	ActiveUntil time.Time
	// ReadLogit and HourGain make ReadRate; Peak and SecondPeak are the hours
	// of most attention, the second of secondWeight.
	ReadLogit, HourGain, Peak, SecondPeak float64
	// ReplyRate, OptOutRate: chance of a reply, and of an opt-out by word,
	// button or WhatsApp's own switch, once a marketing message is read. An
	// opt-out by word or button is a reply too, beside ReplyRate.
	ReplyRate, OptOutRate float64
	// ConversionRate is the chance that a read marketing message causes an
	// order, at the hour of most attention; see OrderRate.
	ConversionRate float64
	// OrdersPerDay is the chance of an order on a day that no message caused.
	OrdersPerDay float64
	// OrderMedian of order values, which are log-normal with orderSpread.
	OrderMedian float64

	messagesPerDay float64 // of the tool before goodhour
}

const (
	deliveredRate = 0.97 // of messages to who has WhatsApp
	overloadRate  = 0.01 // of marketing: Meta chooses not to deliver (131049)
	secondWeight  = 0.4
	// concentration of attention around a peak: half of it within 2.7 hours.
	concentration = 3.0
	// indifferent is the attention at which HourGain does nothing.
	indifferent  = 0.35
	inactiveRead = 0.1
	utilityLogit = 1.0 // an order's notice is read more than marketing
	orderSpread  = 0.45
)

// Attention at an hour, from 0 to about 1.
func (t *Truth) Attention(hour float64) float64 {
	return bump(hour-t.Peak) + secondWeight*bump(hour-t.SecondPeak)
}

func bump(hours float64) float64 {
	return math.Exp(concentration * (math.Cos(2*math.Pi*hours/24) - 1))
}

// ReadRate is the chance that a marketing message accepted at an hour is read,
// if it is delivered and the customer is active. A read comes within 24 hours.
func (t *Truth) ReadRate(hour float64) float64 { return t.readRate(hour, 0) }

func (t *Truth) readRate(hour, extraLogit float64) float64 {
	return 1 / (1 + math.Exp(-(t.ReadLogit + extraLogit + t.HourGain*(t.Attention(hour)-indifferent))))
}

// FastReadRate is the chance that it is read within an hour, if it reaches the
// phone at once.
func (t *Truth) FastReadRate(hour float64) float64 { return t.ReadRate(hour) * t.fastShare(hour) }

func (t *Truth) fastShare(hour float64) float64 { return min(0.25+0.6*t.Attention(hour), 0.9) }

// OrderRate is the chance that it causes an order, if it is delivered.
func (t *Truth) OrderRate(hour float64) float64 { return t.ReadRate(hour) * t.conversion(hour) }

func (t *Truth) conversion(hour float64) float64 {
	return min(t.ConversionRate*(0.4+0.6*t.Attention(hour)), 1)
}

// MeanOrder is the mean value of an order.
func (t *Truth) MeanOrder() float64 {
	return t.OrderMedian * math.Exp(orderSpread*orderSpread/2)
}

// BestHour is the whole hour with the highest ReadRate at its middle.
func (t *Truth) BestHour() int {
	best := 0
	for h := range 24 {
		if t.ReadRate(float64(h)+0.5) > t.ReadRate(float64(best)+0.5) {
			best = h
		}
	}
	return best
}

// activeAt says whether the customer still cares at an instant.
func (t *Truth) activeAt(at time.Time) bool {
	return t.ActiveUntil.IsZero() || at.Before(t.ActiveUntil)
}
