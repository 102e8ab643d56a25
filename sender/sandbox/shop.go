package sandbox

import (
	"context"
	"slices"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
)

// shopOrder is an order that a message caused.
type shopOrder struct {
	at         time.Time
	submission int
}

// shopHour is the next instant at which the shop tells its orders.
func shopHour(until time.Time) time.Time { return until.Truncate(time.Hour).Add(time.Hour) }

// runShop tells the shop's orders, each hour those of the hour.
func (s *Sandbox) runShop(ctx context.Context) error {
	for ctx.Err() == nil {
		s.mu.Lock()
		from := s.marks.ShopUntil
		s.mu.Unlock()
		to := shopHour(from)
		if err := s.config.Clock.Wait(ctx, to); err != nil {
			return err
		}
		events := s.ordersOf(from, to)
		if len(events) > 0 {
			err := s.persist(ctx, "orders not published", func(ctx context.Context) error {
				return s.config.Shop.Publish(ctx, events)
			})
			if err != nil {
				return err
			}
		}
		if err := s.storeMarks(func(m *marks) { m.ShopUntil = to }); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// ordersOf returns the orders after one instant and up to another, by time:
// those that messages caused and those that customers made by themselves.
func (s *Sandbox) ordersOf(from, to time.Time) []event.Event {
	events := s.world.orders(from, to)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orders = slices.DeleteFunc(s.orders, func(o shopOrder) bool {
		if o.at.After(to) {
			return false
		}
		one := &s.submissions[o.submission]
		is := s.reaction(one)
		draw := s.world.key.with(orderDraw).text(one.reactedTo())
		events = append(events, s.world.orderEvent(&s.world.customers[one.Customer], draw, o.at, is.OrderAmount))
		return true
	})
	slices.SortStableFunc(events, func(a, b event.Event) int { return a.Time.Compare(b.Time) })
	return events
}

// orders are those that customers make by themselves.
func (w *World) orders(from, to time.Time) []event.Event {
	var events []event.Event
	days := make([][2]int64, len(w.zones))
	hours := make([][2][24]int64, len(w.zones))
	for i, zone := range w.zones {
		days[i] = [2]int64{localDay(from, zone), localDay(to, zone)}
		hours[i] = [2][24]int64{hoursOf(days[i][0], zone), hoursOf(days[i][1], zone)}
	}
	for i := range w.customers {
		c := &w.customers[i]
		for n, day := range days[c.zoneNth] {
			if n == 1 && day == days[c.zoneNth][0] {
				continue
			}
			at, amount, ok := w.order(c, day, &hours[c.zoneNth][n])
			if when := time.UnixMicro(at).UTC(); ok && when.After(from) && !when.After(to) {
				events = append(events, w.orderEvent(c, w.orderKey(i, day), when, amount))
			}
		}
	}
	return events
}

// localDay is the day of an instant in a zone, counted from the Unix epoch.
func localDay(at time.Time, zone *time.Location) int64 {
	year, month, day := at.In(zone).Date()
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC).UnixMicro() / dayMicros
}
