package fileimport

import (
	"context"
	"fmt"

	"github.com/goodhour/goodhour/ingest/event"
)

// eachEvent builds the rows that the survey has kept once more, now with their
// ids, and visits their events in the order of the rows.
func (r *run) eachEvent(ctx context.Context, b *builder, total int64, visit func(seq int64, e event.Event) error) error {
	builders := make([]*builder, workers())
	for i := range builders {
		builders[i] = b.clone()
	}
	events := make([][]event.Event, pageRows)
	return r.stage.pages(ctx, sqlPublishPage, r.mapping.columnFields(), b.constants, total, func(rows []stagedRow) error {
		err := share(len(rows), len(builders), func(worker, from, to int) (err error) {
			for i := from; i < to && err == nil; i++ {
				events[i], err = builders[worker].events(&rows[i], events[i][:0])
			}
			return err
		})
		if err != nil {
			return err
		}
		for i := range rows {
			for _, e := range events[i] {
				if err := visit(rows[i].seq, e); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// events appends the events of a row that was found good.
func (b *builder) events(r *stagedRow, to []event.Event) ([]event.Event, error) {
	row, why := b.build(r.values)
	if why != "" {
		return to, fmt.Errorf("row %d was good and is not any more: %s", r.seq, why)
	}
	id := row.name
	if id == "" {
		texts := row.identity
		if texts == nil {
			unnamed, err := row.unnamed(b.source)
			if err != nil {
				return to, err
			}
			texts = contentOf(unnamed)
		}
		id = fmt.Sprintf("row:%s:%s:%d", b.options.Source, digestOf(texts...).hex(), r.ordinal)
	}
	for i := range row.drafts {
		e, err := row.drafts[i].event(&row.person, id, b.source)
		if err != nil {
			return to, err
		}
		to = append(to, e)
	}
	return to, nil
}

// publish hands the events on in batches.
func (r *run) publish(ctx context.Context, b *builder, publish Publish) error {
	batch := make([]event.Event, 0, r.options.Limits.BatchEvents)
	progress := r.progress("publishing", r.total)
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		if err := publish(ctx, batch); err != nil {
			return fmt.Errorf("publish %d events after %d: %w", len(batch), r.report.Published, err)
		}
		r.report.Published += int64(len(batch))
		batch = batch[:0]
		return nil
	}
	err := r.eachEvent(ctx, b, r.total, func(seq int64, e event.Event) error {
		if len(batch) == cap(batch) {
			if err := flush(); err != nil {
				return err
			}
			progress(seq)
		}
		batch = append(batch, e)
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}
