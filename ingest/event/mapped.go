package event

import "errors"

// DecodeMapped appends what a record of somebody else's topic became: one row
// for each of events, which carry the record's coordinates; or, where reason is
// set or one of them is none, the record itself as one dead letter and no row
// at all, so that a replay of the letter brings everything in once.
func (d *Decoder) DecodeMapped(rec *Record, events []Record, reason string, b *Batch) {
	b.Records++
	if err := d.decodeMapped(events, reason, b); err != nil {
		b.addDeadLetter(rec, err.Error())
	}
}

func (d *Decoder) decodeMapped(events []Record, reason string, b *Batch) error {
	if reason != "" {
		return errors.New(reason)
	}
	if len(events) == 1 {
		return d.decode(&events[0], b)
	}
	// A row cannot be taken back, so all are tried before the first is added:
	// by another decoder, because one remembers whom it has added to its batch.
	var trial Batch
	for i := range events {
		if d.trial == nil {
			d.trial = NewDecoder(d.keyer)
			d.trial.CustomerNamespace = d.CustomerNamespace
		}
		if err := d.trial.decode(&events[i], &trial); err != nil {
			return err
		}
	}
	for i := range events {
		if err := d.decode(&events[i], b); err != nil {
			return err
		}
	}
	return nil
}
