package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/stopword"
	"github.com/goodhour/goodhour/sender/template"
)

var worldEnds = time.Date(2026, 11, 10, 0, 0, 0, 0, time.UTC)

func worldOf(seed uint64, customers, days int) *World {
	return NewWorld(WorldConfig{Seed: seed, Customers: customers, Start: worldEnds.AddDate(0, 0, -days), End: worldEnds})
}

func historyHash(t *testing.T, w *World) string {
	t.Helper()
	sum := sha256.New()
	for e := range w.History() {
		text, err := e.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		sum.Write(append(text, '\n'))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func TestTheSameSeedGivesTheSameHistory(t *testing.T) {
	t.Parallel()
	first := historyHash(t, worldOf(7, 300, 30))
	if again := historyHash(t, worldOf(7, 300, 30)); again != first {
		t.Errorf("hash %s, then %s", first, again)
	}
	if other := historyHash(t, worldOf(8, 300, 30)); other == first {
		t.Error("another seed gives the same history")
	}
	count := 0
	for range worldOf(7, 300, 30).History() {
		if count++; count == 10 {
			break
		}
	}
	if count != 10 {
		t.Errorf("%d events after a break at 10", count)
	}
}

func TestEveryEventOfTheHistoryIsTaken(t *testing.T) {
	t.Parallel()
	keyer, err := identity.NewKeyer([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	decoder := event.NewDecoder(keyer)
	var batch event.Batch
	count := 0
	for e := range worldOf(1, 500, 60).History() {
		record, err := e.Record("goodhour.")
		if err != nil {
			t.Fatal(err)
		}
		record.Time = worldEnds
		decoder.Decode(&record, &batch)
		count++
	}
	for _, letter := range batch.DeadLetters {
		t.Errorf("a dead letter: %s", letter.Reason)
	}
	if batch.EventCount() != count || count < 10_000 {
		t.Errorf("%d rows of %d events", batch.EventCount(), count)
	}
	for _, id := range batch.Identities {
		if strings.HasPrefix(id.Namespace, identity.NamespaceExternal) && id.Namespace != identity.NamespaceCustomer {
			t.Fatalf("an identity in namespace %s", id.Namespace)
		}
	}
	for kind := range event.Kind(event.NumKinds) {
		rows := batch.Rows[kind]
		switch kind {
		case event.MessageSent, event.MessageDelivered, event.MessageRead, event.MessageFailed, event.MessageReceived,
			event.OrderCompleted, event.CustomerUpdated, event.ConsentChanged:
			if rows == nil {
				t.Errorf("no %s", kind)
			}
		default: // not of this world
		}
	}
}

func TestEveryPhoneIsOnePerson(t *testing.T) {
	t.Parallel()
	w := worldOf(1, 5_000, 1)
	seen := make(map[string]int)
	countries := make(map[string]int)
	for i := range w.Len() {
		c := w.Customer(i)
		countries[c.Country]++
		for _, id := range []string{c.Phone, c.BSUID} {
			if before, twice := seen[id]; twice && id != "" {
				t.Fatalf("customers %d and %d share an identifier", before, i)
			}
			seen[id] = i
		}
		if c.Phone == "" {
			if bsuid, err := identity.NormaliseBSUID(c.BSUID); err != nil || bsuid != c.BSUID {
				t.Fatalf("customer %d has neither a phone nor a BSUID", i)
			}
			continue
		}
		for _, form := range []string{c.Phone, "+" + waID(c.Phone)} {
			if e164, err := identity.NormalisePhone(form, ""); err != nil || e164 != c.Phone {
				t.Fatalf("customer %d: a phone of %s is not in its one form: %v", i, c.Country, err)
			}
		}
		if found, ok := w.Find(waID(c.Phone), ""); !ok || found != i {
			t.Fatalf("customer %d is not found by its wa_id", i)
		}
	}
	for _, home := range []string{"BR", "MX", "IN", "DE", "GB", "US", "CN"} {
		if countries[home] < 100 {
			t.Errorf("%d customers in %s", countries[home], home)
		}
	}
	if _, ok := w.Find("+15550000000", ""); ok {
		t.Error("a stranger was found")
	}
}

// one is a customer's figures as a model would see them.
type one struct {
	orders, spend   float64
	engaged, opted  bool
	reads, messages [24]int
}

// The demo's world is large enough. One happening is one event.
func TestTheDemosHistoryHasAMillionEvents(t *testing.T) {
	t.Parallel()
	count := 0
	worldOf(1, 20_000, 90).tell(func(*happening) bool {
		count++
		return true
	})
	if count < 1_000_000 {
		t.Errorf("%d events, want a million", count)
	}
}

// What the past is meant to teach is in it.
func TestTheHistoryTeaches(t *testing.T) {
	t.Parallel()
	w := worldOf(1, 6_000, 90)
	people := make([]one, w.Len())
	byKey := make(map[string]int)
	ids := make(map[string]struct{})
	sentAt := make(map[string]time.Time)
	var count, twice, late int
	var latest time.Time
	for e := range w.History() {
		count++
		if _, again := ids[e.Source+e.ID]; again {
			twice++
			continue
		}
		ids[e.Source+e.ID] = struct{}{}
		if e.Time.Before(latest) {
			late++
		} else {
			latest = e.Time
		}
		if e.Time.After(worldEnds) {
			t.Fatalf("%s at %s, after the end", e.ID, e.Time)
		}
		i, known := byKey[e.Subject]
		if !known {
			i = w.index(t, e.Subject)
			byKey[e.Subject] = i
		}
		people[i].see(t, w, i, &e, sentAt)
	}
	if share := float64(late) / float64(count); late == 0 || share > 0.01 {
		t.Errorf("%d of %d events are late", late, count)
	}
	if share := float64(twice) / float64(count); twice == 0 || share > 0.01 {
		t.Errorf("%d of %d events came twice", twice, count)
	}
	highAndHot := 0
	for i := range people {
		p := &people[i]
		if p.opted && p.engaged && p.orders > 0 && p.spend/p.orders > 200 {
			highAndHot++
		}
	}
	if highAndHot < w.Len()*12/100 {
		t.Errorf("%d of %d customers are of high value and active in 7 days, want 12 %%", highAndHot, w.Len())
	}
	checkHours(t, w, people)
	t.Logf("%d events, %d late, %d twice, %d of high value and active", count, late, twice, highAndHot)
}

// index is the customer that an event is about.
func (w *World) index(t *testing.T, subject string) int {
	t.Helper()
	if phone, found := strings.CutPrefix(subject, "phone:"); found {
		i, _ := w.Find(phone, "")
		return i
	}
	if bsuid, found := strings.CutPrefix(subject, "bsuid:"); found {
		i, _ := w.Find("", bsuid)
		return i
	}
	if i, err := strconv.Atoi(strings.TrimPrefix(subject, "c-")); err == nil && w.customers[i].Key == subject {
		return i
	}
	t.Fatalf("nobody of the world")
	return 0
}

func (p *one) see(t *testing.T, w *World, i int, e *event.Event, sentAt map[string]time.Time) {
	t.Helper()
	recent := e.Time.After(worldEnds.AddDate(0, 0, -7))
	message := e.ID[:strings.LastIndexByte(e.ID, ':')+1]
	hour := func(at time.Time) int { return at.In(w.customers[i].zone).Hour() }
	switch e.Kind {
	case event.OrderCompleted:
		var amount event.Amount
		text := string(e.Data)
		from := strings.Index(text, `"amount":"`) + len(`"amount":"`)
		if err := amount.UnmarshalText([]byte(text[from : from+strings.IndexByte(text[from:], '"')])); err != nil {
			t.Fatal(err)
		}
		p.orders++
		p.spend += float64(amount) / 10_000
		p.engaged = p.engaged || recent
	case event.ConsentChanged:
		p.opted = strings.Contains(string(e.Data), "opted_in")
	case event.MessageSent:
		sentAt[message] = e.Time
		p.messages[hour(e.Time)]++
	case event.MessageRead:
		p.engaged = p.engaged || recent
		if at, known := sentAt[message]; known {
			p.reads[hour(at)]++
		}
	default: // the rest says nothing here
	}
}

// checkHours holds what the past shows, by tier, to what is true: reads per
// message sent lead to the best hour, the number of reads does not.
func checkHours(t *testing.T, w *World, people []one) {
	t.Helper()
	for _, tier := range []Tier{Low, Mid, High} {
		var reads, messages, truth [24]float64
		for i := range people {
			of := w.Truth(i)
			if of.Tier != tier {
				continue
			}
			for h := range 24 {
				reads[h] += float64(people[i].reads[h])
				messages[h] += float64(people[i].messages[h])
				truth[h] += of.ReadRate(float64(h) + 0.5)
			}
		}
		best := func(score func(h int) float64) int {
			return slices.MaxFunc([]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23},
				func(a, b int) int { return int(math.Copysign(1, score(a)-score(b))) })
		}
		want := best(func(h int) float64 { return truth[h] })
		corrected := best(func(h int) float64 { return reads[h] / messages[h] })
		naive := best(func(h int) float64 { return reads[h] })
		for h := range 24 {
			if messages[h] < 300 {
				t.Errorf("%s: only %.0f messages at %d o'clock", tier, messages[h], h)
			}
		}
		t.Logf("%s: best hour %d, by reads per message %d, by reads %d", tier, want, corrected, naive)
		if apart(corrected, want) > 1 {
			t.Errorf("%s: reads per message say %d o'clock, the truth is %d", tier, corrected, want)
		}
		if apart(naive, want) <= 2 {
			t.Errorf("%s: the number of reads says %d o'clock, which is near the truth, %d: nothing is to be learned", tier, naive, want)
		}
	}
}

// apart is how far two hours are apart on the clock.
func apart(a, b int) int {
	d := (a - b + 24) % 24
	return min(d, 24-d)
}

// What customers do has the rates that their truth says.
func TestReactionsFollowTheTruth(t *testing.T) {
	t.Parallel()
	w := worldOf(3, 400, 30)
	const messages = 3000
	checked := 0
	for i := range w.Len() {
		of := w.Truth(i)
		if !of.Reachable || of.MarketingBlocked || of.ReceiptsOff || !of.ActiveUntil.IsZero() || i%8 != 0 {
			continue
		}
		checked++
		hour := float64(i%24) + 0.5
		day := time.Date(2026, 11, 12, int(hour), 30, 0, 0, w.customers[i].zone)
		var delivered, read, fast, ordered, replied, stopped float64
		for n := range messages {
			m := Message{ID: key(n).hex(32), AcceptedAt: day, Category: plan.Marketing, StopButton: "Stop promotions"}
			is := w.React(i, m)
			if again := w.React(i, m); again != is {
				t.Fatal("the same message had another reaction")
			}
			if is.DeliveredAt.IsZero() {
				continue
			}
			delivered++
			if is.ReadAt.IsZero() {
				continue
			}
			read++
			if is.ReadAt.Sub(day) > 24*time.Hour {
				t.Errorf("read %s after it was sent", is.ReadAt.Sub(day))
			}
			if is.ReadAt.Before(day.Add(time.Hour)) {
				fast++
			}
			if !is.OrderedAt.IsZero() {
				ordered++
			}
			switch stop := stopword.Classify(is.Reply.Text, "").Action; {
			case !is.StoppedAt.IsZero(), stop == stopword.OptOut:
				stopped++
			case !is.Reply.At.IsZero():
				replied++
			}
		}
		near := func(name string, got, of, want float64) {
			t.Helper()
			// Five standard errors, and a little for who gets it hours later.
			if tolerance := 5*math.Sqrt(want*(1-want)/of) + 0.002; math.Abs(got/of-want) > tolerance {
				t.Errorf("customer %d at %g o'clock: %s %.3f, want %.3f ± %.3f", i, hour, name, got/of, want, tolerance)
			}
		}
		near("delivered", delivered, messages, deliveredRate*(1-overloadRate))
		near("read", read, delivered, of.ReadRate(hour))
		near("ordered", ordered, delivered, of.OrderRate(hour)*(1-of.OptOutRate))
		near("stopped", stopped, read, of.OptOutRate)
		near("replied", replied, read, of.ReplyRate*(1-of.OptOutRate))
		if fast/delivered > of.FastReadRate(hour)+0.05 || fast/delivered < 0.7*of.FastReadRate(hour)-0.02 {
			t.Errorf("customer %d: read within the hour %.3f, want about %.3f", i, fast/delivered, of.FastReadRate(hour))
		}
	}
	if checked < 20 {
		t.Errorf("only %d customers were checked", checked)
	}
}

func TestStopWordsAndButtonsAreUnderstood(t *testing.T) {
	t.Parallel()
	for _, c := range countries() {
		if stopword.Classify(c.speech.stop, "").Action != stopword.OptOut {
			t.Errorf("%s: %q is no stop word", c.code, c.speech.stop)
		}
		for _, reply := range c.speech.replies {
			if stopword.Classify(reply, "").Action != stopword.None {
				t.Errorf("%s: %q would opt out", c.code, reply)
			}
		}
	}
	for _, list := range Templates() {
		if button := stopButton(&list); button != "" && stopword.Classify(button, button).Action != stopword.OptOut {
			t.Errorf("%s: button %q does not stop", list.Name, button)
		}
	}
	if stopword.Classify(oldStopButton, oldStopButton).Action != stopword.OptOut {
		t.Error("the earlier tool's button does not stop")
	}
}

func TestTemplatesHaveOneOfEachKind(t *testing.T) {
	t.Parallel()
	sendable, unsupported := 0, 0
	for _, list := range Templates() {
		if list.Unsupported() != "" {
			unsupported++
		} else if list.Status == "APPROVED" {
			sendable++
		}
		if _, err := list.Render(valuesFor(&list)); err != nil && list.Unsupported() == "" {
			t.Errorf("%s (%s): %v", list.Name, list.Language, err)
		}
	}
	if sendable < 8 || unsupported != 1 {
		t.Errorf("%d sendable, %d unsupported", sendable, unsupported)
	}
}

func valuesFor(t *template.Template) map[string]string {
	values := make(map[string]string)
	for _, p := range t.Parameters() {
		values[p.Name] = "A-991"
	}
	return values
}
