package web

import "math"

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
		Caption: e.t("How far messages got"), Chart: "bars",
		Note: e.t("Messages by the furthest that is known of each, the newest included. A read proves a delivery, an answer proves a read."),
		Columns: []column{
			{Name: e.t("Step")},
			{Name: e.t("Messages"), Number: true, Draw: true},
			{Name: e.t("Of accepted"), Number: true, Percent: true, Help: e.t("share of the accepted messages")},
		},
	}
	for _, step := range []struct{ name, column, meaning string }{
		{e.t("messages"), "message_count", e.t("all there are, those of other systems included")},
		{e.t("accepted"), "accepted_count", e.t("the provider took it")},
		{e.t("delivered"), "delivered_count", e.t("on the customer's device")},
		{e.t("read"), "read_count", e.t("a read receipt, or an answer")},
		{e.t("replied"), "replied_count", e.t("answered in words, by button or with media")},
		{e.t("ordered"), "ordered_count", e.t("an order is credited: it was the last marketing message before it")},
	} {
		f.Steps.Rows = append(f.Steps.Rows, []cell{
			{Text: step.name, Sub: step.meaning}, e.countCell(count(step.column)), e.shareCell(count(step.column), accepted),
		})
	}
	f.Rates = table{
		Caption: e.t("Rates"),
		Note:    e.t("Over messages that have had their time: at least %d hours, for orders %d days. The interval holds the true rate 95 times in 100 (Wilson). Credited is not caused.", count("mature_hours"), count("conversion_days")),
		Columns: []column{
			{Name: e.t("Rate")},
			{Name: e.t("Share"), Number: true, Percent: true},
			{Name: e.t("95%% interval"), Number: true},
			{Name: e.t("n"), Number: true, Help: e.t("the messages that the rate is over")},
		},
	}
	for _, rate := range []struct{ name, count, base, meaning string }{
		{e.t("delivery rate"), "mature_delivered_count", "mature_accepted_count", e.t("delivered ÷ accepted")},
		{e.t("read rate"), "mature_read_count", "mature_readable_count", e.t("read ÷ delivered, where receipts are seen")},
		{e.t("reply rate"), "mature_replied_count", "mature_delivered_count", e.t("answered ÷ delivered")},
		{e.t("conversion rate"), "converted_count", "conversion_base_count", e.t("with an order credited ÷ delivered")},
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
		return share{text(dash), dash}
	}
	low, high := wilson(count, n)
	return share{e.shareCell(count, n), e.percent(low) + " – " + e.percent(high)}
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
