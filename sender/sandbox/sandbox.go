package sandbox

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/warehouse/dbfile"
)

// Shop gets the world's orders, an hour's at a time at the hour's end. An event
// may come again after a crash; its id tells.
type Shop interface {
	Publish(ctx context.Context, events []event.Event) error
}

// Sandbox is a Cloud API with a world behind it. It is safe for concurrent use.
type Sandbox struct {
	lock   *os.File
	config Config
	world  *World
	log    *submissionLog
	marks  marks // written by Run alone, read under mu

	calls   atomic.Uint64 // all that came, for traces
	inCalls atomic.Int64  // those not answered yet

	mu          sync.Mutex
	changed     chan struct{} // closed, and replaced, whenever Quiet or NextDue may have changed
	seq         int64
	submissions []Submission
	attempts    map[string]int      // by message id, in-flight ones included
	accepting   map[int64]time.Time // times of calls that are being logged
	people      map[int]*person
	strangers   strangers
	limits      *limits
	queue       queue
	orders      []shopOrder // caused by messages and not told yet
	delivering  bool
}

// person is what the platform knows of a customer.
type person struct {
	inbound   []time.Time // when the customer wrote; some may lie ahead
	stoppedAt time.Time   // in WhatsApp's settings; zero means not
	marketing []time.Time // accepted, the newest last, as far as a cap needs
}

// marks say how far the world was told of. They are stored.
type marks struct {
	// WebhooksUntil: every webhook due before it was delivered.
	WebhooksUntil time.Time `json:"webhooks_until"`
	// ShopUntil: the shop has every order up to it.
	ShopUntil time.Time `json:"shop_until"`
}

const marksName = "delivered.json"

// Open opens a sandbox in its folder, or makes it there. What was accepted
// before goes on: the reactions that were not delivered yet are due again.
// Call Run to deliver, and Close.
//
// One process owns the folder: its log is what tells whether a message was
// submitted twice. A second one gets a *dbfile.LockedError.
func Open(config Config) (_ *Sandbox, err error) {
	config.setDefaults()
	if err := config.check(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(config.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open sandbox: %w", err)
	}
	lock, err := dbfile.Lock(filepath.Join(config.Dir, logName))
	if err != nil {
		return nil, fmt.Errorf("open sandbox: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.Close())
		}
	}()
	s := &Sandbox{
		lock: lock, config: config, world: NewWorld(config.World), changed: make(chan struct{}),
		attempts: make(map[string]int), accepting: make(map[int64]time.Time), people: make(map[int]*person),
	}
	if s.limits, err = newLimits(config.Limits); err != nil {
		return nil, fmt.Errorf("open sandbox: %w", err)
	}
	if s.marks, err = readMarks(filepath.Join(config.Dir, marksName), s.world.config.End); err != nil {
		return nil, err
	}
	var past []Submission
	if s.log, past, err = openLog(config.Dir); err != nil {
		return nil, err
	}
	s.remember()
	for i := range past {
		s.recall(past[i])
	}
	s.limits.restore(past, config.Clock.Now())
	return s, nil
}

// World returns the customers behind the sandbox.
func (s *Sandbox) World() *World { return s.world }

// Close closes the log. No call may be in flight, and Run must have ended.
func (s *Sandbox) Close() error {
	err := s.log.close()
	if errors.Is(err, fs.ErrClosed) {
		return nil // it was closed before
	}
	if err = errors.Join(err, s.lock.Close()); err != nil {
		return fmt.Errorf("close sandbox: %w", err)
	}
	return nil
}

// readMarks returns the stored marks, or those of a sandbox whose world was
// told of up to its past's end.
func readMarks(path string, end time.Time) (marks, error) {
	m := marks{ShopUntil: end}
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return m, nil
	case err == nil:
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		return m, fmt.Errorf("read sandbox's marks %s: %w; without the file everything is delivered again", path, err)
	}
	return m, nil
}

// storeMarks is called by the two loops of Run, one at a time.
func (s *Sandbox) storeMarks(change func(*marks)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.marks
	change(&next)
	text, err := json.Marshal(next)
	if err == nil {
		err = replaceFile(filepath.Join(s.config.Dir, marksName), append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("store sandbox's marks: %w", err)
	}
	s.marks = next
	s.signal()
	return nil
}

// remember takes over what the platform knows of the world's past.
func (s *Sandbox) remember() {
	known := s.world.known()
	for i, at := range known.stopped {
		s.person(i).stoppedAt = at
	}
	for i, at := range known.inbound {
		p := s.person(i)
		p.inbound = append(p.inbound, at)
	}
}

// recall takes over a submission of the log.
func (s *Sandbox) recall(one Submission) {
	s.seq = one.Seq
	s.attempts[one.MessageID]++
	if one.Stranger != "" {
		one.Customer = -1
		if i, found := s.find(addressOf(one.Stranger)); found {
			one.Customer = i
		}
	}
	if s.config.Limits.MarketingPerDay > 0 && one.Outcome == Accepted && one.Category == plan.Marketing && one.FailCode == 0 {
		p := s.person(one.Customer)
		p.marketing = append(p.marketing, one.At)
	}
	s.register(one)
}

func (s *Sandbox) person(i int) *person {
	p := s.people[i]
	if p == nil {
		p = &person{}
		s.people[i] = p
	}
	return p
}

// register lets a logged submission take effect: what follows it becomes due.
// The lock is held, or nobody else is there yet.
func (s *Sandbox) register(one Submission) {
	s.submissions = append(s.submissions, one)
	if one.Outcome != Accepted {
		return
	}
	index := len(s.submissions) - 1
	is := s.reaction(&one)
	if one.Customer >= 0 && !is.Reply.At.IsZero() {
		p := s.person(one.Customer)
		p.inbound = append(p.inbound, is.Reply.At)
	}
	if p := s.people[one.Customer]; !is.StoppedAt.IsZero() && (p == nil || p.stoppedAt.IsZero() || is.StoppedAt.Before(p.stoppedAt)) {
		s.person(one.Customer).stoppedAt = is.StoppedAt
	}
	// What strangers order is not the world's shop's to tell.
	if is.OrderedAt.After(s.marks.ShopUntil) && !s.isStranger(one.Customer) {
		s.orders = append(s.orders, shopOrder{at: is.OrderedAt, submission: index})
	}
	s.queue.add(index, s.steps(&one, &is), s.marks.WebhooksUntil)
}

// Run asks the webhook's URL for the verify token, and then delivers webhooks
// and orders as they come due, until the context ends, whose error it returns.
func (s *Sandbox) Run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var loops sync.WaitGroup
	loops.Go(func() { stop(s.runWebhooks(ctx)) })
	if s.config.Shop != nil {
		loops.Go(func() { stop(s.runShop(ctx)) })
	}
	loops.Wait()
	return context.Cause(ctx)
}

// signal wakes the loops of Run. The lock is held.
func (s *Sandbox) signal() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// await returns when the clock reaches an instant or something changed. The
// zero time never comes.
func (s *Sandbox) await(ctx context.Context, at time.Time, changed <-chan struct{}) error {
	waiting, stop := context.WithCancel(ctx)
	reached := make(chan struct{})
	var timer sync.WaitGroup
	if !at.IsZero() {
		timer.Go(func() {
			if s.config.Clock.Wait(waiting, at) == nil {
				close(reached)
			}
		})
	}
	select {
	case <-reached:
	case <-changed:
	case <-ctx.Done():
	}
	stop()
	timer.Wait()
	return ctx.Err()
}

// Quiet says that nothing happens before the clock moves: no call is in flight,
// no webhook is being delivered, and nothing is due. Run must be running.
func (s *Sandbox) Quiet() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.quiet()
}

func (s *Sandbox) quiet() bool {
	if s.inCalls.Load() > 0 || s.delivering {
		return false
	}
	next, pending := s.nextDue()
	return !pending || next.After(s.config.Clock.Now())
}

// WaitQuiet returns once Quiet holds, or with the context's error.
func (s *Sandbox) WaitQuiet(ctx context.Context) error {
	for {
		s.mu.Lock()
		quiet, changed := s.quiet(), s.changed
		s.mu.Unlock()
		if quiet {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// NextDue returns the next instant at which the sandbox delivers something.
func (s *Sandbox) NextDue() (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nextDue()
}

func (s *Sandbox) nextDue() (time.Time, bool) {
	next, pending := s.queue.next()
	if s.config.Shop == nil {
		return next, pending
	}
	if shop := shopHour(s.marks.ShopUntil); !pending || shop.Before(next) {
		next = shop
	}
	return next, true
}

// Submissions returns all that was submitted, in order.
func (s *Sandbox) Submissions() []Submission {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := slices.Clone(s.submissions)
	slices.SortFunc(list, func(a, b Submission) int { return cmp.Compare(a.Seq, b.Seq) })
	return list
}

// Counts sums up submissions for a test: it can tell from them alone whether a
// message was submitted again, or accepted twice.
type Counts struct {
	Submissions int                        `json:"submissions"`
	Messages    map[string]map[Outcome]int `json:"messages"` // by message id
	// AcceptedTwice lists messages that were accepted more than once.
	AcceptedTwice []string `json:"accepted_twice"`
	// Resubmitted lists messages that were submitted again although the last
	// submission was no definite refusal.
	Resubmitted []string `json:"resubmitted"`
}

// Counts counts the submissions so far.
func (s *Sandbox) Counts() Counts {
	return count(s.Submissions())
}

func count(list []Submission) Counts {
	c := Counts{Submissions: len(list), Messages: make(map[string]map[Outcome]int)}
	twice, again := make(map[string]struct{}), make(map[string]struct{})
	last := make(map[string]Outcome)
	for i := range list {
		id, is := list[i].MessageID, list[i].Outcome
		if before, known := last[id]; known && before != Refused {
			again[id] = struct{}{}
		}
		last[id] = is
		if c.Messages[id] == nil {
			c.Messages[id] = make(map[Outcome]int)
		}
		c.Messages[id][is]++
		if c.Messages[id][Accepted] > 1 {
			twice[id] = struct{}{}
		}
	}
	c.AcceptedTwice = slices.AppendSeq([]string{}, maps.Keys(twice))
	c.Resubmitted = slices.AppendSeq([]string{}, maps.Keys(again))
	slices.Sort(c.AcceptedTwice)
	slices.Sort(c.Resubmitted)
	return c
}
