package web

import (
	"math"

	"github.com/goodhour/goodhour/api/web/texts"
)

// funnel is how far messages got.
type funnel struct {
	Messages int64
	Steps    table
	Rates    table
}

// newFunnel puts a row of sql/funnel.sql into words. The rates are over
// messages old enough to have had their time, and say so.
func (e *edition) newFunnel(counted row) funnel {
	count := counted.count
	accepted := count("accepted_count")
	f := funnel{Messages: count("message_count")}
	f.Steps = table{
		Caption: e.T("How far messages got"), Chart: "bars",
		Note: e.T("Messages by the furthest that is known of each, the newest included. A read proves a delivery, an answer proves a read."),
		Columns: []column{
			{Name: e.T("Step")},
			{Name: e.T("Messages"), Number: true, Draw: true},
			{Name: e.T("Of accepted"), Number: true, Percent: true, Help: e.T("share of the accepted messages")},
		},
	}
	for _, step := range []struct{ name, column, meaning string }{
		{e.T("messages"), "message_count", e.T("all there are, those of other systems included")},
		{e.T("accepted"), "accepted_count", e.T("the provider took it")},
		{e.T("delivered"), "delivered_count", e.T("on the customer's device")},
		{e.T("read"), "read_count", e.T("a read receipt, or an answer")},
		{e.T("replied"), "replied_count", e.T("answered in words, by button or with media")},
		{e.T("ordered"), "ordered_count", e.T("an order is credited: it was the last marketing message before it")},
	} {
		f.Steps.Rows = append(f.Steps.Rows, []cell{
			{Text: step.name, Sub: step.meaning}, e.countCell(count(step.column)), e.shareCell(count(step.column), accepted),
		})
	}
	f.Rates = table{
		Caption: e.T("Rates"),
		Note:    e.T("Over messages that have had their time: at least %d hours, for orders %d days. The interval holds the true rate 95 times in 100 (Wilson). Credited is not caused.", count("mature_hours"), count("conversion_days")),
		Columns: []column{
			{Name: e.T("Rate")},
			{Name: e.T("Share"), Number: true, Percent: true},
			{Name: e.T("95%% interval"), Number: true},
			{Name: e.T("n"), Number: true, Help: e.T("the messages that the rate is over")},
		},
	}
	for _, rate := range []struct{ name, count, base, meaning string }{
		{e.T("delivery rate"), "mature_delivered_count", "mature_accepted_count", e.T("delivered ÷ accepted")},
		{e.T("read rate"), "mature_read_count", "mature_readable_count", e.T("read ÷ delivered, where receipts are seen")},
		{e.T("reply rate"), "mature_replied_count", "mature_delivered_count", e.T("answered ÷ delivered")},
		{e.T("conversion rate"), "converted_count", "conversion_base_count", e.T("with an order credited ÷ delivered")},
	} {
		share := e.share(count(rate.count), count(rate.base))
		f.Rates.Rows = append(f.Rates.Rows, []cell{
			{Text: rate.name, Sub: rate.meaning}, share.cell, text(share.interval), e.countCell(count(rate.base)),
		})
	}
	return f
}

// share as it is shown, with its interval.
type share struct {
	cell     cell
	interval string
}

func (e *edition) share(count, n int64) share {
	if n == 0 {
		return share{text(texts.Dash), texts.Dash}
	}
	low, high := wilson(count, n)
	return share{e.shareCell(count, n), e.Percent(low) + " – " + e.Percent(high)}
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
