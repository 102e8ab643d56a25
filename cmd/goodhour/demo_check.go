package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/sandbox"
	"github.com/goodhour/goodhour/warehouse"
)

// promise is one of DESIGN's promises as far as the demo exercises it.
type promise struct {
	name   string
	kept   bool
	figure string
}

// tell prints what became of the campaign, from the models.
func (d *demo) tell(ctx context.Context, planID string) error {
	status, err := d.sending.ledger.Plan(ctx, planID)
	if err != nil {
		return err
	}
	if err := printPlanStatus(d.out, &status); err != nil {
		return err
	}
	return d.read(func(reader *warehouse.Reader) error {
		table, err := reader.Table(ctx, `
			select accepted_count, delivered_count, read_count, replied_count, ordered_count, attributed_order_count, undelivered_count
			from marts.campaigns where campaign_id = $1`, status.CampaignID)
		if err != nil || len(table.Rows) != 1 {
			return err
		}
		r := table.Rows[0]
		d.say("The models see: %v accepted, %v delivered, %v read, %v answered, %v followed by an order (%v orders), %v not delivered.",
			r[0], r[1], r[2], r[3], r[4], r[5], r[6])
		return nil
	})
}

// read gives the newest published file.
func (d *demo) read(do func(*warehouse.Reader) error) error {
	reader, release, err := d.library.Acquire()
	if err != nil {
		return err
	}
	defer release()
	return do(reader)
}

// number is the one number that a query answers.
func number(ctx context.Context, reader *warehouse.Reader, sql string, args ...any) (int64, error) {
	table, err := reader.Table(ctx, sql, args...)
	if err != nil {
		return 0, err
	}
	if len(table.Rows) != 1 || len(table.Rows[0]) != 1 {
		return 0, fmt.Errorf("want one number of %q, got %d rows", sql, len(table.Rows))
	}
	switch n := table.Rows[0][0].(type) {
	case int64:
		return n, nil
	case int32:
		return int64(n), nil
	default:
		return 0, fmt.Errorf("want one number of %q, got a %T", sql, n)
	}
}

// errBroken says that a promise was not kept; which, was printed.
var errBroken = errors.New("not every promise was kept; see above")

// checkPromises prints each promise that the demo exercises with its figure.
func (d *demo) checkPromises(ctx context.Context, planID string) error {
	if planID == "" {
		return errors.New("there was no campaign to check: virtual time has reached the real one; remove the directory to begin anew")
	}
	checks := []func(context.Context, string) (promise, error){
		d.checkAtMostOnce, d.checkStates, d.checkExactlyOnce, d.checkOutcomes, d.checkReasons, d.checkArms, d.checkStop, d.checkPersonal,
	}
	broken := false
	for _, check := range checks {
		p, err := check(ctx, planID)
		if err != nil {
			return fmt.Errorf("check a promise: %w", err)
		}
		mark := "kept  "
		if !p.kept {
			mark, broken = "BROKEN", true
		}
		fmt.Fprintf(d.out, "%s  %s: %s\n", mark, p.name, p.figure)
	}
	took := d.now().Sub(d.begun)
	fmt.Fprintf(d.out, "in all  %.0f s, %d campaigns so far, virtual time %s\n", took.Seconds(), d.state.Campaigns, d.virtual.Now().Format(time.RFC3339))
	if broken {
		return errBroken
	}
	return nil
}

// checkAtMostOnce asks the sandbox, which counts by itself.
func (d *demo) checkAtMostOnce(context.Context, string) (promise, error) {
	counts := d.box.Counts()
	accepted := 0
	for _, outcomes := range counts.Messages {
		accepted += outcomes[sandbox.Accepted]
	}
	return promise{
		"at most once", len(counts.AcceptedTwice) == 0 && len(counts.Resubmitted) == 0 && accepted > 0,
		fmt.Sprintf("%d submissions of %d messages at the provider, %d accepted; %d accepted twice, %d submitted again without a refusal",
			counts.Submissions, len(counts.Messages), accepted, len(counts.AcceptedTwice), len(counts.Resubmitted)),
	}, nil
}

func (d *demo) checkStates(ctx context.Context, planID string) (promise, error) {
	s, err := d.sending.ledger.Plan(ctx, planID)
	if err != nil {
		return promise{}, err
	}
	sum := 0
	for _, state := range plan.States() {
		sum += s.States[state]
	}
	return promise{
		"every message is in one of nine states", sum == s.Messages && s.Status == plan.Done,
		fmt.Sprintf("%d messages, the states add up to %d; the plan is %s", s.Messages, sum, s.Status),
	}, nil
}

// eventRows counts the events in the published file, by any table of staging
// that is one event a row.
const eventRows = `
	select sum(n)::bigint from (
		select count(*) as n from staging.message_sent union all select count(*) from staging.message_delivered
		union all select count(*) from staging.message_failed union all select count(*) from staging.message_read
		union all select count(*) from staging.message_received union all select count(*) from staging.order_completed
		union all select count(*) from staging.customer_updated union all select count(*) from staging.consent_changed
		union all select count(*) from staging.message_attempted union all select count(*) from staging.decision_made)`

// repeated is how many events of the history are published once more.
const historyRepeated = 50_000

// checkExactlyOnce brings a part of the history a second time: nothing changes.
func (d *demo) checkExactlyOnce(ctx context.Context, _ string) (promise, error) {
	count := func() (n int64, err error) {
		if _, err = d.publish(ctx, asOfNow); err != nil {
			return 0, err
		}
		err = d.read(func(reader *warehouse.Reader) error {
			n, err = number(ctx, reader, eventRows)
			return err
		})
		return n, err
	}
	before, err := count()
	if err != nil {
		return promise{}, err
	}
	batch := make([]event.Event, 0, historyRepeated)
	for e := range sandbox.NewWorld(d.worldConfig()).History() {
		if batch = append(batch, e); len(batch) == historyRepeated {
			break
		}
	}
	if err := errors.Join(d.producer.Publish(ctx, batch), d.waitForEnd(ctx)); err != nil {
		return promise{}, err
	}
	after, err := count()
	return promise{
		"exactly once into the warehouse", before == after && before >= int64(len(batch)),
		fmt.Sprintf("%d events; %d of them published again: %d events", before, len(batch), after),
	}, err
}

// checkOutcomes compares what the sandbox took with what the models know.
func (d *demo) checkOutcomes(ctx context.Context, _ string) (promise, error) {
	accepted := int64(0)
	for _, one := range d.box.Submissions() {
		if one.Outcome == sandbox.Accepted {
			accepted++
		}
	}
	var known int64
	err := d.read(func(reader *warehouse.Reader) (err error) {
		known, err = number(ctx, reader, `select count(*) from marts.messages where plan_id is not null and outcome = 'accepted'`)
		return err
	})
	return promise{
		"the loop closes", accepted == known,
		fmt.Sprintf("%d messages accepted by the provider, %d accepted in marts.messages", accepted, known),
	}, err
}

func (d *demo) checkReasons(ctx context.Context, planID string) (promise, error) {
	s, err := d.sending.ledger.Plan(ctx, planID)
	if err != nil {
		return promise{}, err
	}
	var decided, unexplained int64
	err = d.read(func(reader *warehouse.Reader) (err error) {
		if decided, err = number(ctx, reader, `select count(*) from marts.decisions where plan_id = $1`, planID); err != nil {
			return err
		}
		unexplained, err = number(ctx, reader, `
			select count(*) from marts.decisions
			where plan_id = $1 and state in ('suppressed', 'held_out', 'expired') and rule is null`, planID)
		return err
	})
	return promise{
		"every decision is explained", decided == int64(s.Messages) && unexplained == 0,
		fmt.Sprintf("%d customers planned, %d decisions, %d without their reason", s.Messages, decided, unexplained),
	}, err
}

func (d *demo) checkArms(ctx context.Context, planID string) (promise, error) {
	var held, written int64
	err := d.read(func(reader *warehouse.Reader) (err error) {
		const arms = `from marts.decisions where plan_id = $1 and arm in ('holdout', 'control')`
		if held, err = number(ctx, reader, `select count(*) `+arms, planID); err != nil {
			return err
		}
		written, err = number(ctx, reader, `select count(*) `+arms+` and message_id in (select message_id from marts.messages where message_id is not null)`, planID)
		return err
	})
	return promise{"who is held out gets nothing", held > 0 && written == 0, fmt.Sprintf("%d held out, %d of them written to", held, written)}, err
}

func (d *demo) checkStop(ctx context.Context, _ string) (promise, error) {
	var stopped, after int64
	err := d.read(func(reader *warehouse.Reader) (err error) {
		const optOuts = `
			with stops as (
				select customer_id, min(occurred_at) as stopped_at
				from staging.consent_changed
				where state = 'opted_out' and source in ('inbound_message', 'provider_preference')
				group by customer_id)`
		if stopped, err = number(ctx, reader, optOuts+` select count(*) from stops`); err != nil {
			return err
		}
		after, err = number(ctx, reader, optOuts+`
			select count(*) from stops join staging.message_attempted using (customer_id)
			where outcome = 'accepted' and message_attempted.occurred_at > stopped_at`)
		return err
	})
	return promise{"STOP means stop", stopped > 0 && after == 0, fmt.Sprintf("%d customers stopped, %d messages to them afterwards", stopped, after)}, err
}

// checkPersonal looks for phones in every text of the published file, and for
// Meta's message ids, in which one is encoded.
func (d *demo) checkPersonal(ctx context.Context, _ string) (promise, error) {
	columns, found := 0, int64(0)
	err := d.read(func(reader *warehouse.Reader) error {
		for _, relation := range reader.Relations() {
			for _, column := range relation.Columns {
				if column.Type != "VARCHAR" {
					continue
				}
				columns++
				n, err := number(ctx, reader, fmt.Sprintf(`select count(*) from %s.%s where regexp_matches(%s, '(^|[^0-9a-zA-Z])\+[1-9][0-9]{7,14}|wamid[.]')`,
					quoted(relation.Schema), quoted(relation.Name), quoted(column.Name)))
				if err != nil {
					return err
				}
				found += n
			}
		}
		return nil
	})
	return promise{"personal data has one place", found == 0, fmt.Sprintf("%d columns of text in the published file, %d phones in them", columns, found)}, err
}

// quoted is an identifier as SQL has it.
func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
