package sandbox

import (
	"fmt"
	"iter"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
)

// Sources of the world's events. The shop goes on under the same name.
const (
	ShopSource = "sandbox/shop"
	ToolSource = "sandbox/earlier-tool"
)

// History is the past up to End, the same events at every call: customers,
// consents, orders, and what became of the messages that another tool sent from
// Start on. It is in order of arrival; a few events arrive late or twice. The
// events are of no particular topic: publish each where its kind belongs.
func (w *World) History() iter.Seq[event.Event] {
	return func(yield func(event.Event) bool) {
		w.tell(func(h *happening) bool { return yield(w.event(h)) })
	}
}

// event makes the event of a happening.
func (w *World) event(h *happening) event.Event {
	c, at := &w.customers[h.who], time.UnixMicro(h.at).UTC()
	switch h.what {
	case joined, updated, consented:
		return w.shopEvent(c, h, at)
	case ordered:
		return w.orderEvent(c, h.draw, at, h.detail.amount)
	default:
		return w.toolEvent(c, h, at)
	}
}

func (w *World) shopEvent(c *Customer, h *happening, at time.Time) event.Event {
	switch h.what {
	case joined:
		data := event.CustomerUpdatedData{
			Person:  event.Person{Phone: c.Phone, BSUID: c.BSUID},
			Country: c.Country, Language: c.Language, Name: c.Name, Tags: []string{"newsletter"},
		}
		if c.zoneKnown {
			data.TimeZone = c.TimeZone
		}
		return must("customer:"+c.Key+":joined", ShopSource, c.Key, at, data)
	case updated:
		return must("customer:"+c.Key+":updated", ShopSource, c.Key, at, event.CustomerUpdatedData{
			Person: event.Person{Email: c.Email}, Tags: []string{"newsletter", "survey"},
		})
	default:
		return must("consent:"+c.Key, ShopSource, c.Key, at, event.ConsentChangedData{
			Category: "marketing", State: "opted_in", Source: "import", Evidence: "box ticked at checkout",
		})
	}
}

// orderEvent is the shop's word on an order; the key is the order's, so that it
// is one event however often it is told.
func (w *World) orderEvent(c *Customer, draw key, at time.Time, amount event.Amount) event.Event {
	order, one := "o-"+draw.hex(12), 1.0
	return must("order:"+order, ShopSource, c.Key, at, event.OrderCompletedData{
		OrderID: order, Amount: amount, Currency: w.config.Currency,
		Items: []event.Item{{SKU: "sku-" + draw.hex(2), Quantity: &one, Price: &amount}},
	})
}

func (w *World) toolEvent(c *Customer, h *happening, at time.Time) event.Event {
	who := event.Person{Phone: c.Phone, BSUID: c.BSUID}
	subject := "phone:" + c.Phone
	if c.Phone == "" {
		subject = "bsuid:" + c.BSUID
	}
	id := h.draw.messageID(c.Phone)
	m := event.Message{ProviderMessageID: id, Provider: w.config.Provider, NumberID: w.config.NumberID, CampaignID: oldCampaign(int64(h.day))}
	billable := true
	pricing := &event.Pricing{Billable: &billable, Category: "marketing", Type: "regular"}
	status := func(name string, data event.Data) event.Event {
		return must("status:"+id+":"+name, ToolSource, subject, at, data)
	}
	switch h.what {
	case sent:
		return status("sent", event.MessageSentData{Person: who, Message: m, Pricing: pricing})
	case failedStatus:
		return status("failed", event.MessageFailedData{
			Person: who, Message: m, ErrorCode: fmt.Sprint(h.detail.code), ErrorClass: "recipient",
		})
	case delivered:
		return status("delivered", event.MessageDeliveredData{Person: who, Message: m, Pricing: pricing})
	case read:
		return status("read", event.MessageReadData{Person: who, Message: m})
	case stopped:
		return must("preference:"+id, ToolSource, subject, at, event.ConsentChangedData{
			Person: who, Category: "marketing", State: "opted_out", Source: "provider_preference",
			Evidence: "WhatsApp's marketing preference: stop",
		})
	default: // replied
		data := event.MessageReceivedData{
			Person: who, ProviderMessageID: h.detail.inID, Provider: m.Provider, NumberID: m.NumberID,
			InReplyTo: id, MessageKind: "text", Text: h.detail.reply.Text,
		}
		if h.detail.reply.Button {
			data.MessageKind, data.Payload = "button", h.detail.reply.Text
		}
		return must("received:"+m.NumberID+":"+h.detail.inID, ToolSource, subject, at, data)
	}
}

// oldCampaign names the campaign of a day's week.
func oldCampaign(day int64) string {
	year, week := time.UnixMicro(day * dayMicros).UTC().ISOWeek()
	return fmt.Sprintf("earlier-%d-w%02d", year, week)
}

// must makes an event of values that are the world's own.
func must(id, source, subject string, at time.Time, data event.Data) event.Event {
	e, err := event.New(id, source, subject, at, data)
	if err != nil {
		panic("sandbox: the world made an event that is none: " + err.Error())
	}
	return e
}
