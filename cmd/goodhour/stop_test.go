package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/sandbox"
)

// stopBegins is the virtual clock's start in the tests of opt-outs: noon of a
// Monday in São Paulo.
var stopBegins = time.Date(2026, 6, 1, 15, 0, 0, 0, time.UTC)

const (
	saoPaulo = "America/Sao_Paulo"
	berlin   = "Europe/Berlin"
)

func newVirtualClock(t *testing.T) *sandbox.VirtualClock {
	t.Helper()
	clock, err := sandbox.OpenVirtualClock(filepath.Join(t.TempDir(), "clock"), stopBegins, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return clock
}

// stopper is a customer, what they send while a campaign runs, and what becomes
// of their message.
type stopper struct {
	person
	says object // a message's rest; nil: nothing
	from string // instead of the phone
	user string // BSUID instead of a phone
	out  bool   // opted out by it
}

// stoppers are ways to say stop, and some that are none.
func stoppers() []stopper {
	n := 0
	next := func(key string) person {
		n++
		return person{key: key, phone: fmt.Sprintf("+55119%08d", 87_654_300+n), name: "Zelda"}
	}
	list := []stopper{
		{person: next("says-nothing")},
		{person: next("talks"), says: typed("please stop the delivery of my order")},
		{person: next("asks-for-order"), says: pressed("Cancel order", "CANCEL")},
		{person: next("by-phone"), says: typed("STOP"), out: true},
		// The ninth digit of Brazil's mobiles, which WhatsApp's own ids may lack.
		{person: next("without-nine"), says: typed("stop."), out: true},
		{person: next("by-button"), says: pressed("Parar promoções", "x"), out: true},
		// Linked by an earlier event, not the same.
		{person: next("by-user-id"), says: typed("sair"), user: "BR.13491208655302741918", out: true},
		// The number that the message goes to is the newer one.
		{person: next("by-old-phone"), says: typed("PARAR!"), from: "5511988880000", out: true},
		// Not known to be theirs until after the stop.
		{person: next("linked-later"), says: typed("stop"), user: "BR.99999", out: true},
		// By other roads: a list of the shop's, and the platform's word on an
		// earlier message.
		{person: next("by-list"), out: true},
		{person: next("by-platform"), out: true},
	}
	list[4].from = "55" + list[4].phone[3:5] + list[4].phone[6:]
	for i, word := range []string{"退订", "退訂", "取消订阅", "停止", "ＴＤ", "Arrêt !", "BAJA", "Abmelden", "afmelden", "Descadastrar", "🛑 stop 🛑"} {
		list = append(list, stopper{person: next(fmt.Sprintf("word-%02d", i)), says: typed(word), out: true})
	}
	return list
}

// message is what the customer sends, as Meta tells it.
func (s *stopper) message(at time.Time) object {
	from := s.from
	if from == "" && s.user == "" {
		from = s.phone[1:]
	}
	return inbound("wamid.in."+s.key, from, s.user, at, s.says)
}

// links tells what only other events know of a person's identifiers.
func links(t *testing.T, key, id string, at time.Time, who event.Person) event.Event {
	t.Helper()
	return shopEvent(t, id, key, at, event.CustomerUpdatedData{Person: who})
}

// TestStopStops: a campaign runs, some of it is sent; customers say stop in every
// way there is, and their messages, which were approved, are not claimed.
func TestStopStops(t *testing.T) {
	t.Parallel()
	ctx := deadline(t, 3*time.Minute)
	s := newShop(t, newVirtualClock(t), 1)
	s.open(ctx)
	list := stoppers()
	early := person{key: "early", phone: "+4915112345678", name: "Zelda"}
	events := early.joined(t, berlin)
	for i := range list {
		events = append(events, list[i].joined(t, saoPaulo)...)
	}
	// Before the phone that they have now.
	old := event.Person{Phone: "+5511988880000", ExternalIDs: map[string]string{"customer": "by-old-phone"}}
	s.publishEvents(ctx, links(t, "by-old-phone", "old-phone", storyBegins.Add(-time.Hour), old))
	s.publishEvents(ctx, append(events,
		links(t, "by-user-id", "user-id", storyBegins, event.Person{BSUID: "BR.13491208655302741918"}))...)
	s.publish(ctx)

	id := s.plan(ctx, everyone("news", "2026-06-01T18:00"))
	s.drive(ctx, stopBegins.Add(2*time.Hour)) // six o'clock in Berlin has passed
	s.want(ctx, id, early.key, plan.Accepted, "")
	if status := s.status(ctx, id).Status; status != plan.Running {
		t.Fatalf("the plan is %s, want it running", status)
	}
	at := s.clock.Now()
	for i := range list {
		if list[i].says != nil {
			s.accept(ctx, s.webhookOf(list[i].message(at)))
		}
	}
	s.accept(ctx, s.webhook("messages", object{"statuses": []object{{
		"id": "wamid.earlier", "status": "failed", "timestamp": strconv.FormatInt(at.Unix(), 10), "recipient_id": list[10].phone[1:],
		"errors": []object{{"code": 131050}},
	}}}))
	s.home.run(ctx, t, "import", "consents", writeTemp(t, "stops.csv", "customer,category,state,time\nby-list,marketing,opted_out,2026-06-01T16:00:00Z\n"))
	s.publishEvents(ctx, links(t, "linked-later", "late-link", at, event.Person{BSUID: "BR.99999"}))
	s.drive(ctx, stopBegins.Add(7*time.Hour)) // and in São Paulo

	for i := range list {
		if list[i].out {
			s.want(ctx, id, list[i].key, plan.Suppressed, "opted_out")
		} else {
			s.want(ctx, id, list[i].key, plan.Accepted, "")
		}
	}
	// The models learn of it from the topics.
	s.publish(ctx)
	for i := range list {
		var got []struct {
			Consent string `json:"consent_marketing"`
			Why     string `json:"unreachable_reason"`
		}
		s.decode(s.home.run(ctx, t, "sql", "--format", "json", fmt.Sprintf(
			`select consent_marketing, unreachable_reason from marts.customers where external_id = '%s'`, list[i].key)), &got)
		consent, why := "opted_in", ""
		if list[i].out {
			consent, why = "opted_out", "opted_out"
		}
		if len(got) != 1 || got[0].Consent != consent || got[0].Why != why {
			t.Errorf("the models have of %s: %+v, want %s", list[i].key, got, consent)
		}
	}
}

// TestNoImportUndoesAStop: what systems say of a customer who has stopped is no
// word of the customer's.
func TestNoImportUndoesAStop(t *testing.T) {
	t.Parallel()
	ctx := deadline(t, 3*time.Minute)
	s := newShop(t, newVirtualClock(t), 1)
	s.open(ctx)
	zelda := person{key: "k1", phone: "+5511987654321", name: "Zelda"}
	s.publishEvents(ctx, zelda.joined(t, saoPaulo)...)
	s.publish(ctx)
	s.accept(ctx, s.webhookOf(inbound("wamid.1", zelda.phone[1:], "", s.clock.Now(), typed("退订"))))
	s.drive(ctx, stopBegins.Add(time.Hour))

	// Later than the stop, and by each of her identifiers.
	consents := "customer,phone,category,state,time\n" +
		"k1,,marketing,opted_in,2026-06-01T15:30:00Z\n" +
		",+5511987654321,marketing,opted_in,2026-06-01T15:31:00Z\n" +
		"k1,+5511987654321,all,opted_in,2026-06-01T15:32:00Z\n"
	s.home.run(ctx, t, "import", "consents", writeTemp(t, "consents.csv", consents))
	messages := "phone,provider,number_id,provider_message_id,status,time,text\n" +
		"+5511987654321,meta,200000000000001,wamid.old,received,2026-06-01T15:33:00Z,START\n"
	s.home.run(ctx, t, "import", "messages", "--text", "text", writeTemp(t, "messages.csv", messages))
	id := s.plan(ctx, everyone("after-import", "2026-06-01T18:00"))
	s.drive(ctx, stopBegins.Add(7*time.Hour))
	s.want(ctx, id, zelda.key, plan.Suppressed, "opted_out")

	// Her own word does.
	s.accept(ctx, s.webhookOf(inbound("wamid.2", zelda.phone[1:], "", s.clock.Now(), typed("Voltar"))))
	id = s.plan(ctx, everyone("after-start", "2026-06-02T18:00"))
	s.drive(ctx, stopBegins.Add(31*time.Hour))
	s.want(ctx, id, zelda.key, plan.Accepted, "")

	// And so does the platform's switch, both ways.
	prefer := func(value string) {
		s.accept(ctx, s.webhook("user_preferences", object{"user_preferences": []object{{
			"wa_id": zelda.phone[1:], "category": "marketing_messages", "value": value, "timestamp": s.clock.Now().Unix(),
		}}}))
		s.drive(ctx, s.clock.Now().Add(time.Hour))
	}
	prefer("stop")
	id = s.plan(ctx, everyone("after-switch-off", "2026-06-03T18:00"))
	s.drive(ctx, stopBegins.Add(55*time.Hour))
	s.want(ctx, id, zelda.key, plan.Suppressed, "opted_out")
	prefer("resume")
	id = s.plan(ctx, everyone("after-switch-on", "2026-06-04T18:00"))
	s.drive(ctx, stopBegins.Add(79*time.Hour))
	s.want(ctx, id, zelda.key, plan.Accepted, "")
}

func writeTemp(t *testing.T, name, text string) string {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestStopOutlivesTheTopics: the ledger alone knows of a stop, after its record
// went by retention, and after the broker's whole log was lost.
func TestStopOutlivesTheTopics(t *testing.T) {
	t.Parallel()
	ctx := deadline(t, 3*time.Minute)
	s := newShop(t, newVirtualClock(t), 1)
	s.retention = 1
	s.open(ctx)
	stays := person{key: "stays", phone: "+5511987654321", name: "Zelda"}
	stops := person{key: "stops", phone: "+5511987654322", bsuid: "BR.13491208655302741918", name: "Zelda"}
	afterwards := person{key: "afterwards", phone: "+5511987654323", name: "Zelda"}
	for _, p := range []person{stays, stops, afterwards} {
		s.publishEvents(ctx, p.joined(t, saoPaulo)...)
	}
	s.publish(ctx)
	id := s.plan(ctx, everyone("news", "2026-06-01T18:00"))
	s.accept(ctx, s.webhookOf(inbound("wamid.stop", "", stops.bsuid, s.clock.Now(), typed("stop"))))
	// Others go on talking, so that retention has something to keep.
	for i := range 40 {
		s.accept(ctx, s.webhookOf(inbound(fmt.Sprintf("wamid.%d", i), stays.phone[1:], "", s.clock.Now(), typed("hello"))))
	}
	s.pass(ctx) // the event that the stop became is on its topic, and read again
	if err := s.app.applyRetention(ctx); err != nil {
		t.Fatal(err)
	}
	s.restart(ctx)
	if n := s.recordsLeft(ctx, "goodhour.reply"); n > 6 {
		t.Errorf("%d records of inbound messages are left, want at most the last of each partition", n)
	}
	s.drive(ctx, stopBegins.Add(7*time.Hour))
	s.want(ctx, id, stays.key, plan.Accepted, "")
	s.want(ctx, id, stops.key, plan.Suppressed, "opted_out")

	// The whole log is lost: nothing is sent until somebody has said that it
	// is, and then the stop still holds.
	id = s.plan(ctx, everyone("later", "2026-06-02T18:30"))
	s.accept(ctx, s.webhookOf(inbound("wamid.afterwards", afterwards.phone[1:], "", s.clock.Now(), typed("stop"))))
	s.pass(ctx)
	s.stop()
	if err := os.RemoveAll(filepath.Join(s.home.data, "broker")); err != nil {
		t.Fatal(err)
	}
	s.open(ctx)
	clock := s.clock.(*sandbox.VirtualClock) //nolint:forcetypeassert // made above
	if _, err := clock.Advance(stopBegins.Add(31 * time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.app.sending.sender.Step(ctx); err != nil {
		t.Fatal(err)
	}
	s.want(ctx, id, stays.key, plan.Waiting, "")
	s.acceptBreaks(ctx)
	s.drive(ctx, stopBegins.Add(31*time.Hour+time.Minute))
	s.want(ctx, id, stays.key, plan.Accepted, "")
	s.want(ctx, id, stops.key, plan.Suppressed, "opted_out")
	s.want(ctx, id, afterwards.key, plan.Suppressed, "opted_out")
}

// recordsLeft is how many records of a topic the broker still has.
func (s *shop) recordsLeft(ctx context.Context, topic string) (left int64) {
	s.t.Helper()
	if err := s.app.waitForEnd(ctx); err != nil {
		s.t.Fatal(err)
	}
	for _, p := range s.app.consumer.Status().Partitions {
		if p.Topic == topic {
			left += p.HighWatermark - p.LogStart
		}
	}
	return left
}

// acceptBreaks accepts by the command whatever stands still.
func (s *shop) acceptBreaks(ctx context.Context) {
	s.t.Helper()
	var list []partitionInfo
	s.decode(s.home.run(ctx, s.t, "offsets", "list", "--json"), &list)
	for _, p := range list {
		if p.Break != "" {
			s.home.try(ctx, "offsets", "accept", fmt.Sprintf("%s/%d", p.Topic, p.Partition)) // the others still stand still
		}
	}
	if err := s.app.waitForEnd(ctx); err != nil {
		s.t.Fatal(err)
	}
}

// noonZone is the name of a time zone in which it is about noon, so that no test
// on the wall's clock falls into quiet hours.
func noonZone(now time.Time) string {
	switch ahead := 12 - now.UTC().Hour(); {
	case ahead > 0:
		return fmt.Sprintf("Etc/GMT-%d", ahead) // POSIX has the sign the other way round
	case ahead < 0:
		return fmt.Sprintf("Etc/GMT+%d", -ahead)
	default:
		return "Etc/GMT"
	}
}

// TestStopsDuringARun has customers stop while the sender's own loops send, on
// the wall's clock. A pass that was under way when the webhook was answered may
// still have claimed their message; no later one has.
func TestStopsDuringARun(t *testing.T) {
	t.Parallel()
	ctx := deadline(t, 3*time.Minute)
	const customers, stops = 250, 80
	s := newShop(t, wallClock{}, 1)
	s.batchAge = Duration(time.Minute) // nothing is read in time unless somebody waits for it
	s.open(ctx)
	all := make([]person, customers)
	var events []event.Event
	for i := range all {
		all[i] = person{key: fmt.Sprintf("k%03d", i), phone: fmt.Sprintf("+55119%08d", 10_000_000+i), bsuid: fmt.Sprintf("BR.%012d", i), name: "Zelda"}
		events = append(events, all[i].joined(t, "")...)
	}
	s.publishEvents(ctx, events...)
	s.publish(ctx)
	report := s.planOnly(ctx, fmt.Sprintf(`
id: news
audience: {sql: "select customer_id from marts.customers"}
template: {name: new_arrivals, language: pt_BR, parameters: {"1": {field: name, default: cliente}}}
account: shop
schedule: {send: now, time_zone: %s}
`, noonZone(time.Now())))
	s.app.startSending()
	s.home.run(ctx, t, "campaign", "approve", report.ID, "--hash", report.Hash)

	// As the campaign goes on, every third customer stops, by phone or user id.
	acceptedAt := make(map[string]time.Time, stops)
	for i, who := range rand.New(rand.NewPCG(7, 7)).Perm(customers)[:stops] {
		s.await(ctx, func() bool { return s.box.Health().Submissions >= 2*i })
		message := inbound("wamid."+all[who].key, all[who].phone[1:], "", time.Now(), typed("stop"))
		if i%2 == 0 {
			message = inbound("wamid."+all[who].key, "", all[who].bsuid, time.Now(), typed("退订"))
		}
		s.accept(ctx, s.webhookOf(message))
		acceptedAt[all[who].key] = time.Now()
	}
	s.await(ctx, func() bool { return s.status(ctx, report.ID).Status == plan.Done })

	passes := make([]time.Time, 0, customers)
	claimedAt := make(map[string]time.Time, customers)
	for i := range all {
		m := s.message(ctx, report.ID, all[i].key)
		for _, attempt := range m.Attempts {
			claimedAt[all[i].key] = attempt.ClaimedAt
			passes = append(passes, attempt.ClaimedAt)
		}
		if _, stopped := acceptedAt[all[i].key]; !stopped && m.StateNow != plan.Accepted {
			t.Errorf("the message to %s, who said nothing, is %s (%s)", all[i].key, m.StateNow, m.RuleNow)
		}
	}
	slices.SortFunc(passes, time.Time.Compare)
	kept := 0
	for key, at := range acceptedAt {
		claimed, sent := claimedAt[key]
		if !sent {
			kept++
			continue
		}
		underWay, _ := slices.BinarySearchFunc(passes, at, time.Time.Compare)
		if underWay < len(passes) && claimed.After(passes[underWay]) {
			t.Errorf("the message to %s was claimed %s after the stop was accepted, by a later pass", key, claimed.Sub(at))
		}
	}
	t.Logf("of %d customers who stopped, %d got no message", stops, kept)
	if kept < 5 || kept == stops {
		t.Errorf("%d of %d stops came before the message: the test shows little", kept, stops)
	}
}

// await looks now and then whether something has come about.
func (s *shop) await(ctx context.Context, done func() bool) {
	s.t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !done() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			s.t.Fatal(context.Cause(ctx))
		}
	}
}
