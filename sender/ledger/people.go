package ledger

import (
	"iter"
	"time"

	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/policy"
)

// people is what is known of identities, each by itself. Whatever is asked of a
// person is the sum over the component of now, so merges and unlinks need no
// bookkeeping.
type people struct {
	graph identity.Graph
	// The first consent, inbound time and message of each identity, as a
	// position + 1 in the lists below; 0 is none.
	consentOf, inboundOf, messageOf []int32
	consents                        []consent
	inbounds                        []inbound
	numbers                         map[string]uint32 // numbers that were written to
	arms                            map[string]*armSet
}

// consent is what an identity's consent events say of a category, as times;
// 0 is never. Each is the newest, so order and repetition make no difference.
type consent struct {
	consentTimes
	next     int32
	category consentCategory
}

type consentTimes struct {
	out  int64 // an opt-out
	undo int64 // an opt-in that undoes opt-outs
	in   int64 // any opt-in
}

// merge takes the later of each, and says whether that changed any.
func (t *consentTimes) merge(other consentTimes) bool {
	before := *t
	t.out, t.undo, t.in = max(t.out, other.out), max(t.undo, other.undo), max(t.in, other.in)
	return *t != before
}

// optedOut says whether an opt-out is in force. At one instant it wins.
func (t *consentTimes) optedOut() bool { return t.out != 0 && t.undo <= t.out }

// consentCategory is a category of event.ConsentChanged.
type consentCategory uint8

const (
	consentMarketing consentCategory = iota
	consentUtility
	consentAuthentication
	consentAll
	numConsentCategories
)

var consentNames = [numConsentCategories]string{"marketing", "utility", "authentication", "all"}

// inbound is the newest message of an identity to a number.
type inbound struct {
	at     int64
	number uint32
	next   int32
}

// armSet is a quarter's assignments to the global holdout, by identity.
type armSet struct{ assigned, holdout bits }

type bits []uint64

func (b bits) has(n int32) bool { return int(n>>6) < len(b) && b[n>>6]&(1<<(n&63)) != 0 }

func (b *bits) set(n int32) {
	for int(n>>6) >= len(*b) {
		*b = append(*b, 0)
	}
	(*b)[n>>6] |= 1 << (n & 63)
}

// add adds an identity, or tells its namespace.
func (p *people) add(m identity.Member) int32 {
	n := p.graph.Add(m)
	if int(n) == len(p.consentOf) {
		p.consentOf = append(p.consentOf, 0)
		p.inboundOf = append(p.inboundOf, 0)
		p.messageOf = append(p.messageOf, 0)
	}
	return n
}

func (p *people) consent(n int32, category consentCategory) *consent {
	for at := p.consentOf[n]; at != 0; at = p.consents[at-1].next {
		if p.consents[at-1].category == category {
			return &p.consents[at-1]
		}
	}
	return nil
}

// mergeConsent adds what consent events say.
func (p *people) mergeConsent(n int32, category consentCategory, times consentTimes) {
	c := p.consent(n, category)
	if c == nil {
		p.consents = append(p.consents, consent{category: category, next: p.consentOf[n]})
		p.consentOf[n] = int32(len(p.consents))
		c = &p.consents[len(p.consents)-1]
	}
	c.merge(times)
}

// lastInbound is the time of an identity's newest message to a number.
func (p *people) lastInbound(n int32, number string) int64 {
	id, known := p.numbers[number]
	if !known {
		return 0
	}
	for at := p.inboundOf[n]; at != 0; at = p.inbounds[at-1].next {
		if p.inbounds[at-1].number == id {
			return p.inbounds[at-1].at
		}
	}
	return 0
}

func (p *people) mergeInbound(n int32, number string, at int64) {
	id, known := p.numbers[number]
	if !known {
		id = uint32(len(p.numbers))
		p.numbers[number] = id
	}
	for i := p.inboundOf[n]; i != 0; i = p.inbounds[i-1].next {
		if known := &p.inbounds[i-1]; known.number == id {
			known.at = max(known.at, at)
			return
		}
	}
	p.inbounds = append(p.inbounds, inbound{at: at, number: id, next: p.inboundOf[n]})
	p.inboundOf[n] = int32(len(p.inbounds))
}

func (p *people) assign(n int32, quarter string, arm plan.Arm) {
	set := p.arms[quarter]
	if set == nil {
		set = &armSet{}
		p.arms[quarter] = set
	}
	set.assigned.set(n)
	if arm == plan.Holdout {
		set.holdout.set(n)
	}
}

// arm is a person's stored assignment: holdout if the identities have both.
func (p *people) arm(members iter.Seq[int32], quarter string) plan.Arm {
	set := p.arms[quarter]
	if set == nil {
		return ""
	}
	var arm plan.Arm
	for n := range members {
		switch {
		case set.holdout.has(n):
			return plan.Holdout
		case set.assigned.has(n):
			arm = plan.Treatment
		}
	}
	return arm
}

// consentOver is what all the identities say together, by category.
func (p *people) consentOver(members iter.Seq[int32]) (out [numConsentCategories]consentTimes) {
	for n := range members {
		for at := p.consentOf[n]; at != 0; at = p.consents[at-1].next {
			c := &p.consents[at-1]
			out[c.category].merge(c.consentTimes)
		}
	}
	for category := range out {
		out[category].merge(out[consentAll])
	}
	return out
}

// whom returns the identities that a message concerns: those of its recipient
// and those of its customer, who are one person unless an unlink came between.
func (p *people) whom(m *plan.Message) iter.Seq[int32] {
	customer, recipient := p.numberOr(m.CustomerID), p.numberOr(m.To)
	return func(yield func(int32) bool) {
		for _, n := range []int32{recipient, customer} {
			if n == nobody || n == customer && recipient != nobody && p.graph.Customer(n) == p.graph.Customer(recipient) {
				continue
			}
			for member := range p.graph.Members(n) {
				if !yield(member) {
					return
				}
			}
		}
	}
}

// numberOr is an identity's number, or nobody.
func (p *people) numberOr(id identity.ID) int32 {
	if n, known := p.graph.Number(id); known {
		return n
	}
	return nobody
}

// consentTo is the category whose consent a message needs.
func consentTo(c plan.Category) consentCategory {
	switch c {
	case plan.Utility:
		return consentUtility
	case plan.Authentication:
		return consentAuthentication
	case plan.Service:
		return consentAll
	default:
		return consentMarketing
	}
}

// Person returns the id of the customer that an identity belongs to now; an
// identity that the ledger does not know is its own.
func (db *DB) Person(id identity.ID) identity.ID {
	db.mu.RLock()
	defer db.mu.RUnlock()
	graph := &db.state.people.graph
	if n, known := graph.Number(id); known {
		return graph.ID(graph.Customer(n))
	}
	return id
}

// Identities returns all identities of the customer that id belongs to now, id
// first.
func (db *DB) Identities(id identity.ID) []identity.ID {
	db.mu.RLock()
	defer db.mu.RUnlock()
	graph := &db.state.people.graph
	n, known := graph.Number(id)
	if !known {
		return []identity.ID{id}
	}
	var out []identity.ID
	for member := range graph.Members(n) {
		out = append(out, graph.ID(member))
	}
	return out
}

// Recipient returns the identity that a message to a customer goes to: the
// phone that the ledger learned of last, else such a BSUID.
func (db *DB) Recipient(id identity.ID) (to identity.ID, ok bool) {
	db.mu.RLock()
	defer db.mu.RUnlock()
	graph := &db.state.people.graph
	n, known := graph.Number(id)
	if !known {
		return identity.ID{}, false
	}
	phone, bsuid := int32(nobody), int32(nobody)
	for member := range graph.Members(n) {
		switch graph.Rank(member) {
		case identity.RankPhone:
			phone = max(phone, member)
		case identity.RankBSUID:
			bsuid = max(bsuid, member)
		default:
		}
	}
	switch {
	case phone != nobody:
		return graph.ID(phone), true
	case bsuid != nobody:
		return graph.ID(bsuid), true
	default:
		return identity.ID{}, false
	}
}

// HoldoutArm returns the quarter's stored assignment of the customer that an
// identity belongs to now; holdout where its identities have both.
func (db *DB) HoldoutArm(person identity.ID, quarter string) (plan.Arm, bool) {
	db.mu.RLock()
	defer db.mu.RUnlock()
	p := &db.state.people
	n, known := p.graph.Number(person)
	if !known {
		return "", false
	}
	arm := p.arm(p.graph.Members(n), quarter)
	return arm, arm != ""
}

// OptedOut says whether the customer has stopped the message's category.
func (db *DB) OptedOut(m *plan.Message) bool {
	db.mu.RLock()
	defer db.mu.RUnlock()
	p := &db.state.people
	times := p.consentOver(p.whom(m))
	return times[consentTo(m.Category)].optedOut()
}

// Facts returns what the policy asks about the message's customer, from memory.
// The message may be one that is being planned.
func (db *DB) Facts(m *plan.Message, now time.Time) Facts {
	db.mu.RLock()
	defer db.mu.RUnlock()
	s := &db.state
	p := &s.people
	whom := p.whom(m)
	facts := Facts{Person: m.CustomerID}
	for n := range whom {
		facts.Person = p.graph.ID(p.graph.Customer(n))
		break
	}
	c := &facts.Customer
	times := p.consentOver(whom)
	for _, category := range []plan.Category{plan.Marketing, plan.Utility, plan.Authentication, plan.Service} {
		t := times[consentTo(category)]
		if t.optedOut() {
			if c.OptedOut == nil {
				c.OptedOut = make(map[plan.Category]time.Time)
			}
			c.OptedOut[category] = instant(t.out)
		}
		if t.in != 0 {
			if c.OptedIn == nil {
				c.OptedIn = make(map[plan.Category]time.Time)
			}
			c.OptedIn[category] = instant(t.in)
		}
	}
	var last int64
	for n := range whom {
		last = max(last, p.lastInbound(n, m.NumberID))
	}
	c.LastInboundAt = instant(last)
	s.claimFacts(m, whom, now.Add(-db.capWindow), c)
	c.HoldoutArm = s.holdoutArm(m, whom, now)
	return facts
}

// claimFacts walks the messages that went to any of the identities.
func (s *state) claimFacts(m *plan.Message, whom iter.Seq[int32], since time.Time, c *policy.Customer) {
	own, _ := parseMessageID(m.ID)
	from := micros(since)
	for n := range whom {
		for at := s.people.messageOf[n]; at != 0; at = s.messages[at-1].next {
			other := &s.messages[at-1]
			switch other.state {
			case claimed, accepted, unknown:
			default:
				continue
			}
			if other.id == own {
				continue
			}
			if s.plans[other.plan].ID == m.PlanID {
				c.AlreadyMessagedByPlan = true
			}
			if other.claimedAt > from && marketing(plan.Category(s.texts.text(other.category))) {
				c.MarketingClaims = append(c.MarketingClaims, instant(other.claimedAt))
			}
		}
	}
}

// holdoutArm is the stored assignment of the quarter that the message was
// planned in, and of the quarter of now: who is held out in either gets
// nothing, or a plan made before the new quarter would reach its holdout.
func (s *state) holdoutArm(m *plan.Message, whom iter.Seq[int32], now time.Time) plan.Arm {
	arm := s.people.arm(whom, policy.Quarter(now))
	if n, known := s.planByID[m.PlanID]; known && arm != plan.Holdout {
		if planned := s.people.arm(whom, s.plans[n].quarter); planned != "" {
			arm = planned
		}
	}
	return arm
}

// consentCategoryOf is the position of a category of event.ConsentChanged.
func consentCategoryOf(name string) (consentCategory, bool) {
	for i, known := range consentNames {
		if known == name {
			return consentCategory(i), true
		}
	}
	return 0, false
}

// Undoes says whether an opt-in of this source undoes opt-outs: the customer's
// own message, and the platform's switch. models' customer_consents has the
// same rule.
func Undoes(source string) bool { return source == SourceInbound || source == SourceProvider }

// Sources of event.ConsentChanged that the ledger itself writes.
const (
	SourceInbound  = "inbound_message"
	SourceProvider = "provider_preference"
)

// timesOf is what one consent event says.
func timesOf(state, source string, at int64) (t consentTimes) {
	switch {
	case state == optedOut:
		t.out = at
	case Undoes(source):
		t.in, t.undo = at, at
	default:
		t.in = at
	}
	return t
}

const (
	optedOut = "opted_out"
	optedIn  = "opted_in"
)

// positive is an event's time as a consent's or window's, where 0 means never:
// nothing happened before 1970.
func positive(micros int64) int64 { return max(micros, 1) }
