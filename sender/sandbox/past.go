package sandbox

import (
	"cmp"
	"slices"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/sender/plan"
)

// what is a kind of happening.
type what uint8

const (
	joined what = iota
	consented
	updated // the shop learned more about the customer
	ordered
	sent
	failedStatus
	delivered
	read
	replied
	stopped
)

// happening is something of the past, small enough to sort by the million; its
// event is made at the end.
type happening struct {
	at      int64 // microseconds UTC
	arrives int64 // its place in the history: at, or later
	draw    key   // of the message or order
	detail  *detail
	who     int32
	day     int32 // on which the message was sent
	what    what
}

// detail is what few happenings have.
type detail struct {
	amount event.Amount
	code   int
	reply  Reply
	inID   string // of the customer's message
}

const (
	dayMicros = int64(24 * time.Hour / time.Microsecond)
	// lateRate and twiceRate are the shares of the past that stand in the
	// history later than they happened, and once more.
	lateRate  = 0.004
	twiceRate = 0.003
	latest    = 3 * dayMicros
)

// past goes through the world's past day by day. Days are local: a customer's
// day begins at the customer's midnight.
type past struct {
	w       *World
	emit    func(*happening) bool // in order of arrives; false ends it
	over    bool
	days    map[int64][]happening
	stopped []bool // the tool before goodhour no longer writes to them
	hours   [][24]int64
	end     int64
}

// tell calls emit with everything that happened up to End, until it says false.
func (w *World) tell(emit func(*happening) bool) {
	p := &past{
		w: w, emit: emit, days: make(map[int64][]happening), stopped: make([]bool, len(w.customers)),
		hours: make([][24]int64, len(w.zones)), end: w.config.End.UnixMicro(),
	}
	from, writes := w.config.Start.Add(-ordersBefore).UnixMicro()/dayMicros, w.config.Start.UnixMicro()/dayMicros
	for i := range w.customers {
		p.join(&w.customers[i])
	}
	last := p.end/dayMicros + 1
	for day := from - 1; day <= last && !p.over; day++ {
		p.setHours(day)
		for i := range w.customers {
			c := &w.customers[i]
			if at, amount, ok := w.order(c, day, &p.hours[c.zoneNth]); ok {
				p.add(happening{at: at, who: int32(i), what: ordered, draw: w.orderKey(i, day), detail: &detail{amount: amount}})
			}
			if day >= writes {
				p.write(c, day)
			}
		}
		p.flush(day - 1) // the day after in the far east began before this one's end
	}
	for day := last; len(p.days) > 0 && !p.over; day++ {
		p.flush(day)
	}
}

// setHours notes when each local hour of the day begins, in each zone. An hour
// that a change of clocks leaves out begins when the next does.
func (p *past) setHours(day int64) {
	for i, zone := range p.w.zones {
		p.hours[i] = hoursOf(day, zone)
	}
}

func hoursOf(day int64, zone *time.Location) (begins [24]int64) {
	year, month, date := time.UnixMicro(day * dayMicros).UTC().Date()
	for h := range begins {
		begins[h] = time.Date(year, month, date, h, 0, 0, 0, zone).UnixMicro()
	}
	return begins
}

func (p *past) join(c *Customer) {
	at, who := c.JoinedAt.UnixMicro(), int32(c.Index)
	draw := p.w.key.with(customerDraw).text("past").with(uint64(c.Index))
	p.add(happening{at: at, who: who, what: joined, draw: draw})
	if c.truth.Consented {
		p.add(happening{at: at + 1_000_000, who: who, what: consented, draw: draw.with(1)})
	}
	if more := draw.with(2); more.share() < 0.4 {
		later := at + int64(more.with(1).share()*float64(90*dayMicros))
		p.add(happening{at: later, who: who, what: updated, draw: more})
	}
}

// write lets the tool before goodhour send its messages of a day.
func (p *past) write(c *Customer, day int64) {
	draw := p.w.messageKey(c.Index, day)
	t := &c.truth
	if !t.Consented || p.stopped[c.Index] || draw.share() >= t.messagesPerDay {
		return
	}
	hour, within := t.oldHour(draw.with(1)), int64(draw.with(3).share()*float64(time.Hour/time.Microsecond))
	at := p.hours[c.zoneNth][hour] + within
	if at < c.JoinedAt.UnixMicro() || at < p.w.config.Start.UnixMicro() || at >= p.end {
		return
	}
	is := p.w.react(c, draw.with(reactionDraw), Message{
		AcceptedAt: time.UnixMicro(at).UTC(), Category: plan.Marketing, StopButton: oldStopButton,
	})
	p.happen(c, draw, day, &is)
}

// oldStopButton is on the messages of the tool before goodhour.
const oldStopButton = "Stop promotions"

// oldHour is the local hour at which the tool before goodhour wrote: mostly one
// of two house hours, else any, so that every hour can be learned about.
func (t *Truth) oldHour(draw key) int {
	of := t.Tier.habits()
	switch share := draw.share(); {
	case share < 0.30:
		return of.houseHour
	case share < 0.50:
		return of.otherHouseHour
	}
	return int(draw.with(1).share() * 24)
}

// happen notes what became of a message.
func (p *past) happen(c *Customer, draw key, day int64, is *Reaction) {
	note := func(what what, at time.Time, d *detail) {
		if !at.IsZero() {
			p.add(happening{at: at.UnixMicro(), who: int32(c.Index), day: int32(day), what: what, draw: draw, detail: d})
		}
	}
	if is.FailedCode != 0 {
		note(failedStatus, is.FailedAt, &detail{code: is.FailedCode})
		return
	}
	note(sent, is.SentAt, nil)
	note(delivered, is.DeliveredAt, nil)
	note(read, is.ReadAt, nil)
	if !is.Reply.At.IsZero() {
		note(replied, is.Reply.At, &detail{reply: is.Reply, inID: draw.with(inboundDraw).messageID(c.Phone)})
	}
	note(stopped, is.StoppedAt, nil)
	if !is.OrderedAt.IsZero() {
		note(ordered, is.OrderedAt, &detail{amount: is.OrderAmount})
	}
	if !is.StoppedAt.IsZero() || is.Reply.Button || is.Reply.Text == c.speech.stop {
		p.stopped[c.Index] = true
	}
}

// add puts a happening into the day on which it arrives. What lies after End
// is not of the past.
func (p *past) add(h happening) {
	if h.at > p.end {
		return
	}
	h.arrives = h.at
	chance := h.draw.with(arrivalDraw).with(uint64(h.what))
	if chance.share() < lateRate {
		h.arrives += int64(chance.with(1).share() * float64(latest))
	}
	h.arrives = min(h.arrives, p.end)
	p.put(h)
	if chance = chance.with(2); chance.share() < twiceRate {
		h.arrives = min(h.arrives+int64(chance.with(1).share()*float64(dayMicros)), p.end)
		p.put(h)
	}
}

func (p *past) put(h happening) {
	day := h.arrives / dayMicros
	p.days[day] = append(p.days[day], h)
}

func (p *past) flush(day int64) {
	list := p.days[day]
	slices.SortFunc(list, func(a, b happening) int {
		return cmp.Or(cmp.Compare(a.arrives, b.arrives), cmp.Compare(a.who, b.who), cmp.Compare(a.what, b.what), cmp.Compare(a.draw, b.draw))
	})
	for i := range list {
		if p.over = !p.emit(&list[i]); p.over {
			return
		}
	}
	delete(p.days, day)
}

func (w *World) messageKey(customer int, day int64) key {
	return w.key.with(messageDraw).with(uint64(customer)).with(uint64(day))
}

func (w *World) orderKey(customer int, day int64) key {
	return w.key.with(orderDraw).with(uint64(customer)).with(uint64(day))
}

// order is the order that a customer makes by itself on a local day, if any:
// who ever buys begins on the day of joining.
func (w *World) order(c *Customer, day int64, hours *[24]int64) (at int64, amount event.Amount, ok bool) {
	joinedAt := c.JoinedAt.UnixMicro()
	const hour = int64(time.Hour / time.Microsecond)
	if c.truth.OrdersPerDay == 0 || hours[23]+hour <= joinedAt {
		return 0, 0, false
	}
	draw := w.orderKey(c.Index, day)
	first := hours[0] <= joinedAt
	if !first && draw.share() >= c.truth.OrdersPerDay {
		return 0, 0, false
	}
	r := draw.with(1).random()
	if at = hours[9+r.IntN(13)] + int64(r.Float64()*float64(hour)); first {
		at = joinedAt + int64(time.Minute/time.Microsecond)
	}
	return at, c.truth.amount(r), c.truth.activeAt(time.UnixMicro(at))
}

// known is what WhatsApp knows of the past at End: it decides what it takes.
type known struct {
	stopped map[int]time.Time // in WhatsApp's own settings
	inbound map[int]time.Time // the last message of customers, within the 24 hours before End
}

func (w *World) known() known {
	k := known{stopped: make(map[int]time.Time), inbound: make(map[int]time.Time)}
	opened := w.config.End.Add(-window)
	w.tell(func(h *happening) bool {
		at := time.UnixMicro(h.at).UTC()
		switch h.what {
		case stopped:
			k.stopped[int(h.who)] = at
		case replied:
			if at.After(opened) && at.After(k.inbound[int(h.who)]) {
				k.inbound[int(h.who)] = at
			}
		default: // nothing that WhatsApp decides by
		}
		return true
	})
	return k
}
