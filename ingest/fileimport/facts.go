package fileimport

import (
	"database/sql/driver"
	"time"
)

// factsOf is the row of the table facts.
func factsOf(seq int64, row *built, key, content digest, subject uint64) []driver.Value {
	var kinds uint32
	first, last := row.drafts[0].time, row.drafts[0].time
	for i := range row.drafts {
		d := &row.drafts[i]
		kinds |= 1 << d.kind
		first = earlier(first, d.time)
		last = later(last, d.time)
	}
	var amount, currency driver.Value
	if row.currency != "" {
		amount, currency = int64(row.amount), row.currency
	}
	return []driver.Value{
		seq, row.name != "", key.hi, key.lo, content.hi, content.lo, subject,
		row.person.hasKey, row.person.hasPhone(), row.person.hasEmail(),
		kinds, uint8(len(row.drafts)), amount, currency, row.refund, int8(row.consent),
		first.UnixMicro(), last.UnixMicro(),
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
