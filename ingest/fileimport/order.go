package fileimport

import (
	"cmp"
	"encoding/json"
	"strings"
	"unicode"

	"github.com/goodhour/goodhour/ingest/event"
)

// orderData is the data of an order, its items as the file has them: the codec
// sorts out which members it keeps where.
type orderData struct {
	event.OrderCompletedData
	Items json.RawMessage `json:"items,omitempty"`
}

func (b *builder) buildOrder(values []string, row *built) Reason {
	t, why := b.readTime(b.time, values, row)
	if why != "" {
		return why
	}
	if why := b.readMoney(values, row); why != "" {
		return why
	}
	orderID := b.cells["order_id"].of(values)
	if why := b.decideRefund(values, orderID, row); why != "" {
		return why
	}
	switch {
	case orderID == "" && b.cells["order_id"].mapped():
		return reasonNoOrderID
	case len(orderID) > 200 || strings.ContainsFunc(orderID, unicode.IsControl):
		return reasonLongOrderID
	}
	d := draft{kind: event.OrderCompleted, time: t}
	if row.refund {
		d.kind = event.OrderRefunded
		if b.preset {
			// An export says what went back of an order in all, so that a later
			// one must not take it off again.
			row.name = "refund:" + b.options.Source + ":" + orderID
		}
		data := event.OrderRefundedData{
			Person: row.person.identifiers(), OrderID: orderID, Amount: row.amount, Currency: row.currency,
		}
		d.data = func(rowID string) event.Data {
			data.OrderID = cmp.Or(orderID, rowID)
			return data
		}
	} else {
		if orderID != "" {
			row.name = "order:" + b.options.Source + ":" + orderID
		}
		data := orderData{
			OrderCompletedData: event.OrderCompletedData{
				Person: row.person.identifiers(), Amount: row.amount, Currency: row.currency,
				Coupon: b.cells["coupon"].of(values),
			},
			Items: b.readItems(values),
		}
		d.data = func(rowID string) event.Data {
			data.OrderID = cmp.Or(orderID, rowID)
			return data
		}
	}
	row.identity = []string{d.kind.String(), row.person.subject, t.Format(timeLayout), orderID, row.amount.String(), row.currency}
	b.only(row, d)
	return ""
}

// readMoney reads amount and currency. A sign beside the amount has to fit the
// currency; it is the currency where it can be only one.
func (b *builder) readMoney(values []string, row *built) Reason {
	text := b.cells["amount"].of(values)
	if text == "" {
		return reasonNoAmount
	}
	amount, ok := splitAmount(text)
	if !ok {
		return reasonAmount
	}
	named, known := currencyOfMark(amount.mark)
	if amount.mark != "" && !known {
		return reasonAmount
	}
	row.currency = named
	if c := b.cells["currency"]; c.mapped() {
		var why Reason
		if row.currency, why = readCurrency(c.of(values)); why != "" {
			return why
		}
	}
	if row.currency == "" {
		return reasonNoCurrency
	}
	if !markFits(amount.mark, row.currency) {
		return reasonCurrencySign
	}
	var why Reason
	row.amount, why = amount.units(b.decimal)
	return why
}

// decideRefund says whether the row is a refund, and leaves the amount positive.
func (b *builder) decideRefund(values []string, orderID string, row *built) Reason {
	negative := row.amount < 0
	if c := b.cells["type"]; c.mapped() {
		refund, ok := readMovement(c.of(values))
		switch {
		case !ok:
			return reasonType
		case negative && !refund:
			return reasonNegativeOrder
		}
		row.refund = refund
	} else if negative {
		if orderID == "" {
			return reasonNegativeNoID
		}
		row.refund = true
		b.note(noteNegativeRefund)
	}
	if negative {
		row.amount = -row.amount
	}
	return ""
}

func (b *builder) readItems(values []string) json.RawMessage {
	text := b.cells["items"].of(values)
	if text == "" {
		return nil
	}
	items, ok := readItems(text)
	if !ok {
		b.note(asideItems)
	}
	return items
}
