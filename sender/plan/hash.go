package plan

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/goodhour/goodhour/ingest/identity"
)

// FirstStep is the step of a campaign's only message to a customer.
const FirstStep = 1

// MessageID is the id of a plan's message to a customer: the first 128 bits of
// SHA-256 over "message", the plan's id, the customer's 16 bytes and the step,
// as 32 hex digits. It depends on nothing else, so whoever plans, crashes and
// sends again sends under the same id.
func MessageID(planID string, customer identity.ID, step int) string {
	e := encoder{buffer: make([]byte, 0, 64)}
	e.text("message")
	e.text(planID)
	e.buffer = append(e.buffer, customer[:]...)
	e.number(int64(step))
	sum := sha256.Sum256(e.buffer)
	return hex.EncodeToString(sum[:16])
}

// Seal ends the making of a plan: it sets Hash, ID, and the ids in the messages.
// Nothing may change afterwards.
//
// The hash is SHA-256 over a canonical encoding of every field after Hash, in
// the order of the type, messages in their order. Of a message ID and PlanID are
// left out: they are made from the hash.
func (p *Plan) Seal() {
	p.Hash = p.digest()
	p.ID = "plan_" + p.Hash[:24]
	for i := range p.Messages {
		m := &p.Messages[i]
		m.PlanID, m.ID = p.ID, MessageID(p.ID, m.CustomerID, FirstStep)
	}
}

// Sealed says whether the plan is what was sealed.
func (p *Plan) Sealed() bool { return p.Hash != "" && p.Hash == p.digest() }

func (p *Plan) digest() string {
	e := encoder{hash: sha256.New(), buffer: make([]byte, 0, 2*flushBytes)}
	e.text("plan 1") // the version of this encoding
	e.text(p.CampaignID)
	e.bytes(p.Campaign)
	e.time(p.CreatedAt)
	e.text(p.Author)
	e.text(p.Audience)
	e.time(p.AsOf)
	e.time(p.PublishedAt)
	e.text(p.ModelVersion)
	e.text(p.Template.Name)
	e.text(p.Template.Language)
	e.text(string(p.Template.Category))
	e.text(p.Template.BodyHash)
	e.text(p.Provider)
	e.text(p.Account)
	e.text(string(p.Mode))
	e.text(p.RulesVersion)
	e.bytes(p.Report)
	e.number(int64(len(p.Messages)))
	for i := range p.Messages {
		e.message(&p.Messages[i])
		e.flush(flushBytes)
	}
	e.flush(0)
	return hex.EncodeToString(e.hash.Sum(nil))
}

// flushBytes is how much is gathered before it is hashed.
const flushBytes = 1 << 16

// encoder writes values so that different ones never give the same bytes: what
// varies in length is preceded by it, the rest has a fixed length.
type encoder struct {
	hash   hash.Hash
	buffer []byte
	keys   []string // of a map, kept for its memory
}

func (e *encoder) flush(above int) {
	if len(e.buffer) > above {
		_, _ = e.hash.Write(e.buffer) // never fails
		e.buffer = e.buffer[:0]
	}
}

func (e *encoder) number(n int64) { e.buffer = binary.BigEndian.AppendUint64(e.buffer, uint64(n)) }

func (e *encoder) text(s string) {
	e.number(int64(len(s)))
	e.buffer = append(e.buffer, s...)
}

func (e *encoder) bytes(b []byte) {
	e.number(int64(len(b)))
	e.buffer = append(e.buffer, b...)
}

// time writes an instant to the microsecond, which is what the ledger keeps.
func (e *encoder) time(t time.Time) { e.number(t.UnixMicro()) }

func (e *encoder) float(f float64) { e.number(int64(math.Float64bits(f))) }

func (e *encoder) flag(b bool) {
	var bit byte
	if b {
		bit = 1
	}
	e.buffer = append(e.buffer, bit)
}

func (e *encoder) message(m *Message) {
	e.text(m.CampaignID)
	e.buffer = append(e.buffer, m.CustomerID[:]...)
	e.buffer = append(e.buffer, m.To[:]...)
	e.text(string(m.Category))
	e.text(m.NumberID)
	e.text(string(m.Arm))
	e.text(string(m.State))
	e.text(m.Rule)
	e.bytes(m.Inputs)
	e.time(m.SendAt)
	e.time(m.Deadline)
	e.number(int64(m.SendHourLocal))
	e.text(m.TimeZone)
	e.text(m.HourReason)
	e.float(m.Propensity)
	e.texts(m.Parameters)
	e.text(m.HeatClass)
	e.flag(m.DeliveredSinceEngagement)
	e.float(m.Priority)
}

// texts writes a map in the order of its keys.
func (e *encoder) texts(values map[string]string) {
	e.keys = slices.AppendSeq(e.keys[:0], maps.Keys(values))
	slices.Sort(e.keys)
	e.number(int64(len(e.keys)))
	for _, key := range e.keys {
		e.text(key)
		e.text(values[key])
	}
}
