package ledger

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/goodhour/goodhour/sender/plan"
)

// state is the state of now, derived from the tables. It can be derived from
// them again at any time, and is the same then.
type state struct {
	people   people
	messages []message // by number
	byID     map[messageID]int32
	plans    []*planState // by number
	planByID map[string]int32
	texts    dictionary
	queues   queues
	// wordEvents are the event ids of opt-outs and opt-ins that became ours.
	wordEvents map[string]struct{}
	templates  map[string]syncedTemplates // by account
	nextSeq    int64
	published  int64 // cursor
}

// nobody stands for no identity.
const nobody = -1

// messageID is a message_id: 32 hex digits.
type messageID [16]byte

func parseMessageID(text string) (id messageID, ok bool) {
	if len(text) != 2*len(id) {
		return id, false
	}
	_, err := hex.Decode(id[:], []byte(text))
	return id, err == nil
}

func (id messageID) String() string { return hex.EncodeToString(id[:]) }

// message is what memory holds of a message: what is needed to say whether it
// is due, to judge it and to report it. Texts are numbers in the dictionary.
type message struct {
	id                  messageID
	sendAt, deadline    int64
	notBefore           int64
	claimedAt           int64 // of the last claim
	priority            float64
	propensity          float64
	customer, recipient int32 // identities; recipient is nobody where there is none
	plan                int32
	next                int32 // of the same recipient, see people.messages
	attempts            int32 // claims so far
	category, number    uint16
	arm, zone           uint16
	reason, heat        uint16
	rule                uint16 // why it is not sent, or not yet
	hour                int8
	state               stateCode
	delivery            deliveryCode
	deliveredSince      bool
	proved              bool // a status said that the provider has it
	queued              bool
}

// dueAt is when a waiting message may be looked at.
func (m *message) dueAt() int64 { return max(m.sendAt, m.notBefore) }

// stateCode is a plan.State: its position in plan.States.
type stateCode uint8

const (
	waiting stateCode = iota
	claimed
	accepted
	failed
	unknown
	suppressed
	heldOut
	expired
	cancelled
	numStates
)

func codeOf(s plan.State) stateCode { return stateCode(slices.Index(plan.States(), s)) }

func (c stateCode) name() plan.State { return plan.States()[c] }

// deliveryCode is a DeliveryStatus: the later in the order wins.
type deliveryCode uint8

var deliveries = [...]DeliveryStatus{DeliveryNone, Sent, Undelivered, Delivered, Read}

const (
	deliveryFailed deliveryCode = 2
	numDeliveries               = deliveryCode(len(deliveries))
)

// planState is a plan and its counts.
type planState struct {
	PlanStatus       // what does not change
	first, count     int32
	firstSeq         int64
	quarter          string // of its making: whose holdout it took
	approved, paused bool
	cancelled, begun bool // begun: something was claimed
	states           [numStates]int
	rules            map[uint16]int
	delivery         [numDeliveries]int
	cancelledAt      time.Time
	earliest, newest int64 // send_at of those that may be sent
}

// active says whether the plan's messages may be claimed.
func (p *planState) active() bool { return p.approved && !p.paused && !p.cancelled }

func (p *planState) status() plan.Status {
	switch {
	case p.cancelled:
		return plan.CancelledPlan
	case !p.approved:
		return plan.Planned
	case p.states[waiting] == 0 && p.states[claimed] == 0:
		return plan.Done
	case p.paused:
		return plan.Paused
	case p.begun:
		return plan.Running
	default:
		return plan.Approved
	}
}

// alter changes a message and keeps its plan's counts. Every change of a
// message's state, rule or delivery goes through it.
func (s *state) alter(n int32, change func(*message)) {
	m := &s.messages[n]
	p := s.plans[m.plan]
	p.tally(m, -1)
	change(m)
	p.tally(m, 1)
}

func (p *planState) tally(m *message, by int) {
	p.states[m.state] += by
	switch m.state {
	case waiting, suppressed, heldOut, expired:
		if m.rule != 0 {
			if p.rules[m.rule] += by; p.rules[m.rule] == 0 {
				delete(p.rules, m.rule)
			}
		}
	case accepted:
		p.delivery[m.delivery] += by
	default:
	}
}

// heard notes a delivery status, and moves a message whose outcome it tells.
// The order in which statuses come makes no difference.
func (m *message) heard(status deliveryCode) {
	m.delivery = max(m.delivery, status)
	if status != deliveryFailed {
		m.proved = true
	}
	m.resolve()
}

// resolve moves a message on what its statuses prove. What a rule decided
// stays; while a call is in flight its settlement decides.
func (m *message) resolve() {
	switch m.state {
	case waiting, unknown, failed, cancelled:
		// Also a status failed tells of a message that the provider had taken; of
		// one whose answer was lost that decides.
		if m.proved || m.state == unknown && m.delivery == deliveryFailed {
			m.state, m.rule = accepted, 0
		}
	default:
	}
}

// settle moves a claimed message on the outcome of its attempt.
func (m *message) settle(outcome Outcome, notBefore int64, planCancelled bool) {
	switch outcome {
	case Accepted:
		m.state = accepted
	case Failed:
		m.state = failed
	case Unknown:
		m.state = unknown
	case Refused:
		if planCancelled {
			m.state = cancelled
		} else {
			m.state, m.notBefore = waiting, notBefore
		}
	}
	m.resolve()
}

// attemptID is the id of a message's attempt.
func attemptID(id messageID, ordinal int32) string {
	return id.String() + "-" + strconv.Itoa(int(ordinal))
}

// find returns a message by its id.
func (s *state) find(id string) (int32, bool) {
	key, ok := parseMessageID(id)
	if !ok {
		return 0, false
	}
	n, ok := s.byID[key]
	return n, ok
}

// frozen is a message as it was planned, as far as memory has it: without
// Inputs and Parameters, and with the rule of now.
func (s *state) frozen(n int32) plan.Message {
	m := &s.messages[n]
	p := s.plans[m.plan]
	out := plan.Message{
		ID: m.id.String(), PlanID: p.ID, CampaignID: p.CampaignID,
		CustomerID: s.people.graph.ID(m.customer),
		Category:   plan.Category(s.texts.text(m.category)), NumberID: s.texts.text(m.number),
		Arm: plan.Arm(s.texts.text(m.arm)), State: m.state.name(), Rule: s.texts.text(m.rule),
		SendAt: instant(m.sendAt), Deadline: instant(m.deadline),
		SendHourLocal: int(m.hour), TimeZone: s.texts.text(m.zone), HourReason: s.texts.text(m.reason),
		Propensity: m.propensity, HeatClass: s.texts.text(m.heat),
		DeliveredSinceEngagement: m.deliveredSince, Priority: m.priority,
	}
	if m.recipient != nobody {
		out.To = s.people.graph.ID(m.recipient)
	}
	return out
}

// person is whose message it is now: whoever has the recipient, for that is
// where it goes.
func (s *state) person(m *message) int32 {
	if m.recipient != nobody {
		return s.people.graph.Customer(m.recipient)
	}
	return s.people.graph.Customer(m.customer)
}

// marketing says whether a message counts as marketing: a category that is not
// known to be anything else does.
func marketing(c plan.Category) bool {
	switch c {
	case plan.Utility, plan.Authentication, plan.Service:
		return false
	default:
		return true
	}
}

// dictionary numbers texts of which there are few: 0 is the empty one.
type dictionary struct {
	numbers map[string]uint16
	texts   []string
}

const dictionaryMax = 1 << 16

func newDictionary() dictionary {
	return dictionary{numbers: map[string]uint16{"": 0}, texts: []string{""}}
}

// number returns a text's number, a new one if need be.
func (d *dictionary) number(text string) (uint16, error) {
	n, known := d.numbers[text]
	if known {
		return n, nil
	}
	if len(d.texts) == dictionaryMax {
		return 0, fmt.Errorf("over %d distinct rules, numbers, time zones, arms and classes in all plans", dictionaryMax)
	}
	n = uint16(len(d.texts))
	d.numbers[text] = n
	d.texts = append(d.texts, text)
	return n, nil
}

func (d *dictionary) text(n uint16) string { return d.texts[n] }

// idOf is a message's or an identity's id as DuckDB's driver gives it.
func idOf[ID ~[16]byte](value any) (id ID) {
	copy(id[:], value.([]byte))
	return id
}
