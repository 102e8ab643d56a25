//go:build kafka

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goodhour/goodhour/ingest/kafkatest"
	"github.com/goodhour/goodhour/sender"
	"github.com/goodhour/goodhour/sender/ledger"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/sandbox"
)

const (
	// killLanes are installations of which one after the other is killed: after a
	// restart a number waits a few seconds for what may have been called before.
	killLanes = 4
	// killsPerPoint is how often they are killed at each point.
	killsPerPoint = 20
)

// TestKafkaKilledSenderSubmitsNothingTwice kills serves that send, 20 times at
// each of the sender's named points, over a real Apache Kafka, each with a
// sandbox in a process of its own that loses answers, refuses and breaks off.
// Then the sandboxes, the ledgers and the warehouses are asked what became of
// each message.
func TestKafkaKilledSenderSubmitsNothingTwice(t *testing.T) {
	kafka := kafkatest.Start(t, kafkatest.Options{})
	ctx := deadline(t, 15*time.Minute)
	var lanes []*killing
	for seed := range uint64(killLanes) {
		lanes = append(lanes, startKilling(ctx, t, kafka.Brokers(), seed+1))
	}
	killAll(ctx, t, lanes)
	// The last serves run together.
	for _, k := range lanes {
		k.last = k.serving(t)
	}
	again := 0
	for i, k := range lanes {
		t.Run(fmt.Sprint(i+1), func(t *testing.T) {
			k.finish(ctx, t)
			counts := k.counts(ctx, t)
			k.box.stop(t)
			submitted := k.submissions(t)
			again += k.checkWire(t, counts, submitted)
			k.checkLedger(t, submitted)
			k.checkEvents(ctx, t)
			k.checkMarts(ctx, t)
		})
	}
	if again == 0 {
		t.Error("no message was submitted again after a refusal: nothing is shown of it")
	}
}

// killAll kills the lanes in turn, at the points in shuffled order.
func killAll(ctx context.Context, t *testing.T, lanes []*killing) {
	t.Helper()
	random := rand.New(rand.NewPCG(4, killsPerPoint))
	// Passages before a kill, at most: a claim takes many messages.
	most := map[sender.KillPoint]int{
		sender.AfterClaimCommit: 3, sender.BeforeCall: 20, sender.AfterResponse: 20, sender.BeforeSettle: 6, sender.BeforePublish: 3,
	}
	var points []sender.KillPoint
	for _, point := range sender.KillPoints() {
		points = append(points, slices.Repeat([]sender.KillPoint{point}, killsPerPoint)...)
	}
	random.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
	started, hits := time.Now(), make(map[sender.KillPoint]int)
	for i, point := range points {
		k := lanes[i%len(lanes)]
		for at := fmt.Sprintf("%s:%d", point, 1+random.IntN(most[point])); !k.killedAt(ctx, t, at); {
			serve := k.serving(t)
			k.ready(ctx, t, serve)
			k.approveNotice(ctx, t)
			serve.stop(t)
		}
		hits[point]++
	}
	t.Logf("killed %d times in %.0f s", len(points), time.Since(started).Seconds())
	for _, point := range sender.KillPoints() {
		t.Logf("  %-18s %d hits", point, hits[point])
		if hits[point] < killsPerPoint {
			t.Errorf("killed %d times at %s, want %d", hits[point], point, killsPerPoint)
		}
	}
}

// rulesWithoutQuiet are the built-in rules, but that the minute before last is
// the only quiet one: all zones' clocks show the same minute of the half hour.
func rulesWithoutQuiet(t *testing.T, now time.Time) string {
	t.Helper()
	builtIn, err := os.ReadFile("../../sender/policy/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	rules := string(builtIn)
	for was, is := range map[string]string{
		`from: "22:00"`: `from: "` + now.UTC().Add(-2*time.Minute).Format("15:04") + `"`,
		`to: "08:00"`:   `to: "` + now.UTC().Add(-time.Minute).Format("15:04") + `"`,
	} {
		if strings.Count(rules, was) != 1 {
			t.Fatalf("the built-in rules have no %s to be changed", was)
		}
		rules = strings.Replace(rules, was, is, 1)
	}
	return rules
}

// killing is an installation that is killed.
type killing struct {
	*rehearsal
	notices int      // campaigns of them so far
	last    *process // the serve that is not killed

	// At the end, from the ledger:
	plans    []ledger.PlanStatus
	messages []ledger.MessageDetail
}

// The campaigns: news to everybody, where consent, arms and the cap decide, and
// a notice of the newest order, which goes to all who bought.
const (
	newsCampaign = `
id: news
audience:
  sql: select customer_id, heat_score as score from marts.customers
template:
  name: new_arrivals
  language: en_US
  parameters: {"1": {field: name, default: customer}}
account: shop
schedule: {send: now}
`
	shippedCampaign = `
id: shipped_%d
audience:
  sql: |
    select customer_id, order_id, 'orders/' || url_encode(order_id) as tracking
    from staging.orders
    qualify row_number() over (partition by customer_id order by ordered_at desc, order_id) = 1
template:
  name: order_shipped
  language: en_US
  parameters:
    customer: {field: name, default: customer}
    header.order: {column: order_id, missing: refuse}
    button.0: {column: tracking, missing: refuse}
account: shop
schedule: {send: now}
`
	noticesMost = 30
)

// startKilling starts a sandbox, loads the shop's past and approves the first
// campaigns.
func startKilling(ctx context.Context, t *testing.T, brokers []string, seed uint64) *killing {
	t.Helper()
	k := &killing{rehearsal: startRehearsal(ctx, t, brokers, rehearsalOptions{
		prefix: fmt.Sprintf("lane%d.", seed),
		seed:   seed, customers: 250,
		faults: fmt.Sprintf("seed: %d\n", seed) + "rate_limited: 0.03\nserver_error_before: 0.015\nserver_error_after: 0.02\n" +
			"lost_response: 0.02\nnot_json: 0.5\nduplicate_webhook: 0.3\n",
		account: "    campaign_per_minute: 1500\n    per_second: 25\n",
		rules:   rulesWithoutQuiet(t, time.Now()),
	})}
	serve := k.serving(t)
	k.ready(ctx, t, serve)
	if err := k.connect(t).Publish(ctx, k.shopPast()); err != nil {
		t.Fatal(err)
	}
	k.run(ctx, t, "publish")
	k.run(ctx, t, "template", "sync", "shop")
	report := k.approve(ctx, t, newsCampaign)
	t.Logf("news: %d customers, %d to be written to, %v", report.Audience, report.ToSend, report.Rules)
	k.approveNotice(ctx, t)
	serve.stop(t)
	return k
}

// approveNotice approves another campaign of notices. There is never much more
// than the kills take: refusals slow a number down for minutes.
func (k *killing) approveNotice(ctx context.Context, t *testing.T) {
	t.Helper()
	if k.notices++; k.notices > noticesMost {
		t.Fatalf("%d campaigns were too few for the kills", noticesMost)
	}
	k.approve(ctx, t, fmt.Sprintf(shippedCampaign, k.notices))
}

// killedAt runs a serve until it has killed itself; false where everything was
// sent before it came to that.
func (k *killing) killedAt(ctx context.Context, t *testing.T, at string) bool {
	t.Helper()
	serve := k.serving(t, "GOODHOUR_TEST_KILL="+at)
	ticker := time.NewTicker(300 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case err := <-serve.exited:
			if !strings.Contains(serve.output(), "killed at "+at) {
				t.Fatalf("serve ended before it was killed at %s: %v\n%s", at, err, serve.output())
			}
			return true
		case <-ticker.C:
			if !k.allDone(ctx) {
				continue
			}
			_ = serve.cmd.Process.Signal(os.Interrupt) // it may have killed itself by now
			err := <-serve.exited
			killed := strings.Contains(serve.output(), "killed at "+at)
			if err != nil && !killed {
				t.Errorf("serve ended with %v\n%s", err, serve.output())
			}
			return killed
		case <-ctx.Done():
			t.Fatalf("serve was not killed at %s: %v\n%s", at, context.Cause(ctx), serve.output())
		}
	}
}

// finish sends what is left, waits for the statuses of what was lost, publishes
// all events, runs the models, and keeps the ledger's last word.
func (k *killing) finish(ctx context.Context, t *testing.T) {
	t.Helper()
	k.ready(ctx, t, k.last)
	until(ctx, t, "all plans are done", func() bool { return k.allDone(ctx) })
	until(ctx, t, "the statuses of all that was taken have come", func() bool {
		unknown, err := k.inState(ctx, plan.Unknown)
		if err != nil {
			t.Fatal(err)
		}
		taken := k.counts(ctx, t).Messages
		return !slices.ContainsFunc(unknown, func(id string) bool { return taken[id][sandbox.Accepted] > 0 })
	})
	k.last.stop(t)

	a := k.open(ctx, t)
	_, err := a.sending.sender.PublishPending(ctx)
	if err = errors.Join(err, a.waitForEnd(ctx)); err != nil {
		t.Fatal(err)
	}
	if _, err = a.Publish(ctx, publishRequest{}); err != nil {
		t.Fatal(err)
	}
	if n := a.sending.ledger.Unsettled(); n != 0 {
		t.Errorf("%d messages are claimed and not settled", n)
	}
	if k.plans, err = a.sending.ledger.Plans(ctx); err != nil {
		t.Fatal(err)
	}
	for i := range k.plans {
		list, err := a.sending.ledger.Messages(ctx, k.plans[i].ID, "", "", k.plans[i].Messages+1)
		if err != nil {
			t.Fatal(err)
		}
		k.messages = append(k.messages, list...)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
}

// checkWire looks at what the sandbox alone knows. It returns how many messages
// were submitted again after a refusal.
func (k *killing) checkWire(t *testing.T, counts sandbox.Counts, submitted []sandbox.Submission) (again int) {
	t.Helper()
	if len(counts.Resubmitted) > 0 {
		t.Errorf("%d messages were submitted again without a definite refusal between: %v", len(counts.Resubmitted), counts.Resubmitted)
	}
	if len(counts.AcceptedTwice) > 0 {
		t.Errorf("%d messages were accepted twice: %v", len(counts.AcceptedTwice), counts.AcceptedTwice)
	}
	if counts.Submissions != len(submitted) {
		t.Errorf("the sandbox counts %d submissions, and has logged %d", counts.Submissions, len(submitted))
	}
	for _, outcomes := range counts.Messages {
		if outcomes[sandbox.Refused] > 0 && outcomes[sandbox.Refused]+outcomes[sandbox.Accepted]+outcomes[sandbox.Broken] > 1 {
			again++
		}
	}
	troubles := make(map[sandbox.Trouble]int)
	for i := range submitted {
		if submitted[i].Trouble != "" {
			troubles[submitted[i].Trouble]++
		}
	}
	t.Logf("%d submissions of %d messages, %d of them again after a refusal; injected: %v", counts.Submissions, len(counts.Messages), again, troubles)
	return again
}

// checkLedger compares the ledger with what the sandbox saw.
func (k *killing) checkLedger(t *testing.T, submitted []sandbox.Submission) {
	t.Helper()
	last := make(map[string]*sandbox.Submission)
	for i := range submitted {
		last[submitted[i].MessageID] = &submitted[i]
	}
	states := make(map[string]map[plan.State]int)
	got := make(map[string]map[int]bool) // by plan: who
	seen := make(map[string]bool)
	for i := range k.messages {
		m := &k.messages[i]
		if seen[m.ID] {
			t.Errorf("message %s is in the ledger twice", m.ID)
		}
		seen[m.ID] = true
		if states[m.PlanID] == nil {
			states[m.PlanID], got[m.PlanID] = make(map[plan.State]int), make(map[int]bool)
		}
		states[m.PlanID][m.StateNow]++
		checkMessage(t, m, last[m.ID])
		if one := last[m.ID]; one != nil && one.Outcome == sandbox.Accepted {
			if got[m.PlanID][one.Customer] {
				t.Errorf("customer %d got two messages of plan %s", one.Customer, m.PlanID)
			}
			got[m.PlanID][one.Customer] = true
		}
	}
	for id := range last {
		if !seen[id] {
			t.Errorf("message %s was submitted and is in no plan", id)
		}
	}
	k.checkCounts(t, states)
}

// checkMessage compares the state of a message with its last submission: an
// earlier one was refused.
func checkMessage(t *testing.T, m *ledger.MessageDetail, last *sandbox.Submission) {
	t.Helper()
	var want []plan.State
	switch {
	case last == nil: // killed between the claim and the call, or never claimed
		want = []plan.State{plan.Unknown, plan.Suppressed, plan.HeldOut}
	case last.Outcome == sandbox.Accepted: // its answer or its status told
		want = []plan.State{plan.Accepted}
	case last.Outcome == sandbox.Refused: // the refusal was lost by a kill, or a rule came between
		want = []plan.State{plan.Unknown, plan.Suppressed}
	default:
		want = []plan.State{plan.Unknown}
	}
	if !slices.Contains(want, m.StateNow) {
		t.Errorf("message %s is %s (rule %q), want one of %v; last submitted: %+v", m.ID, m.StateNow, m.RuleNow, want, last)
	}
}

// checkCounts adds up the states of each plan.
func (k *killing) checkCounts(t *testing.T, states map[string]map[plan.State]int) {
	t.Helper()
	all := make(map[plan.State]int)
	for i := range k.plans {
		p := &k.plans[i]
		sum := 0
		for _, state := range plan.States() {
			sum += p.States[state]
			all[state] += p.States[state]
			if p.States[state] != states[p.ID][state] {
				t.Errorf("plan %s counts %d messages as %s, and has %d", p.ID, p.States[state], state, states[p.ID][state])
			}
		}
		if sum != p.Messages || len(p.States) > len(plan.States()) {
			t.Errorf("plan %s: the states %v add up to %d of %d messages", p.ID, p.States, sum, p.Messages)
		}
		if p.Status != plan.Done {
			t.Errorf("plan %s is %s", p.ID, p.Status)
		}
	}
	t.Logf("%d messages in %d plans: %v", len(k.messages), len(k.plans), all)
}

// The events that the ledger's rows make, and those that were published.
const (
	owedEvents = `
		select 'attempt:' || replace(messages.id::varchar, '-', '') || '-' || settlements.ordinal
		from settlements join messages on messages.number = settlements.message
		union all
		select 'decision:' || replace(messages.id::varchar, '-', '') || ':planning' from messages
		union all
		select 'decision:' || replace(messages.id::varchar, '-', '') || ':' || decisions.seq
		from decisions join messages on messages.number = decisions.message
		where decisions.seq is not null`
	toldEvents = `
		select event_id from staging.message_attempted where event_source = '` + ledger.EventSource + `'
		union all
		select event_id from staging.decision_made where event_source = '` + ledger.EventSource + `'`
)

// checkEvents compares the ledger's rows with the warehouse: each has its event,
// once, and there is no other.
func (k *killing) checkEvents(ctx context.Context, t *testing.T) {
	t.Helper()
	db, err := sql.Open("duckdb", ledgerPath(&k.cli().cfg)+"?access_mode=READ_ONLY")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	owed, err := textColumn(ctx, conn, owedEvents)
	if err := errors.Join(err, conn.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
	told := make(map[string]int)
	for _, row := range k.rows(ctx, t, toldEvents) {
		told[row[0]]++
	}
	for _, id := range owed {
		if told[id] != 1 {
			t.Errorf("event %s is in the warehouse %d times", id, told[id])
		}
		delete(told, id)
	}
	if len(told) > 0 {
		t.Errorf("%d events are of no row of the ledger: %v", len(told), slices.Sorted(maps.Keys(told)))
	}
	t.Logf("%d outcome events are owed by the ledger's rows", len(owed))
}

// checkMarts compares the models' last word on each message with the ledger's.
func (k *killing) checkMarts(ctx context.Context, t *testing.T) {
	t.Helper()
	type word struct{ state, outcome string }
	marts := make(map[string]word)
	for _, row := range k.rows(ctx, t, `
		select decisions.message_id, decisions.state, coalesce(messages.outcome, '')
		from marts.decisions left join marts.messages on messages.message_id = decisions.message_id`) {
		marts[row[0]] = word{row[1], row[2]}
	}
	for i := range k.messages {
		m := &k.messages[i]
		got := marts[m.ID]
		agrees := got.state == string(m.StateNow)
		switch m.StateNow {
		case plan.Accepted, plan.Unknown:
			agrees = agrees && got.outcome == got.state
		default: // an attempt before can only have been refused
			agrees = agrees && (got.outcome == "" || got.outcome == string(ledger.Failed))
		}
		if !agrees {
			t.Errorf("message %s is %s in the ledger (delivery %s), %q in marts.decisions and %q in marts.messages",
				m.ID, m.StateNow, m.Delivery, got.state, got.outcome)
		}
	}
	if len(marts) != len(k.messages) {
		t.Errorf("%d messages in marts.decisions, %d in the ledger", len(marts), len(k.messages))
	}
}
