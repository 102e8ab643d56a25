package sender

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/sender/ledger"
	"github.com/goodhour/goodhour/sender/limit"
	"github.com/goodhour/goodhour/sender/policy"
)

// Clock is the time that messages are sent by: the wall's, or a sandbox's
// virtual one.
type Clock interface {
	Now() time.Time
	// Wait returns nil once Now is not before at, or the cause why ctx ended.
	Wait(ctx context.Context, at time.Time) error
}

// Barrier waits until the ledger has read all that the topics held at the call.
type Barrier interface {
	WaitForEnd(ctx context.Context) error
}

// Publisher writes events to their topics and waits until the brokers have
// them. An event may be written twice: loading knows it by its id.
type Publisher interface {
	Publish(ctx context.Context, events []event.Event) error
}

// Config is what a Sender works with.
type Config struct {
	Ledger    *ledger.DB
	Accounts  []Account
	Rules     *policy.Rules
	Barrier   Barrier
	Publisher Publisher
	Clock     Clock
	// ClaimFor is the least span that one claim is for, at most a second. Zero
	// is right for a clock that runs: then what a claim costs decides. On one
	// that stands still while a claim is made each message would get its own.
	ClaimFor time.Duration
	// Hook is called at each kill point; nil outside tests.
	Hook   func(KillPoint)
	Logger *slog.Logger
}

// Sender sends what is approved and due. It is safe for concurrent use; passes
// follow one another.
type Sender struct {
	cfg      Config
	told     *told
	accounts []*account
	byName   map[string]*account
	numbers  map[string]*number
	pairs    *limit.Pairs

	// passing is held by a pass: what is below it is the pass's own.
	passing  sync.Mutex
	restored bool
	plans    map[string]*planned
	// overhead is what the last pass took beside its calls.
	overhead time.Duration

	publishing sync.Mutex
	// Signals, each of one place: look for due messages, publish, sync.
	due, unpublished chan struct{}
	sync             chan string

	mu sync.Mutex // guards what follows, and the halts
	// working counts passes and calls that are under way and do not wait for
	// the clock.
	working int
	// looked is the instant of the last pass; again is when what it left due
	// should be looked at again, zero if it left nothing.
	looked, again time.Time
	turns         map[*number]time.Time // of claimed messages that wait for a permit
	answers       []ledger.Settlement
	settling      bool
	refusals      map[string]int // of a message, since it was last heard of otherwise
}

// New checks a configuration and says everything that is wrong with it.
func New(cfg Config) (*Sender, error) {
	s := &Sender{
		cfg: cfg, told: newTold(cfg.Logger),
		byName: make(map[string]*account), numbers: make(map[string]*number),
		plans: make(map[string]*planned), refusals: make(map[string]int), turns: make(map[*number]time.Time),
		due: make(chan struct{}, 1), unpublished: make(chan struct{}, 1), sync: make(chan string, 1),
	}
	var faults []error
	for _, a := range cfg.Accounts {
		faults = append(faults, s.add(a))
	}
	var err error
	if s.pairs, err = limit.NewPairs(cfg.Rules.PairRate); err != nil {
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("configuration of the sender: %w", err)
	}
	return s, nil
}

func (s *Sender) add(config Account) error {
	if config.Name == "" || s.byName[config.Name] != nil {
		return fmt.Errorf("account %q: want a name of its own", config.Name)
	}
	if config.Provider == nil || len(config.Numbers) == 0 {
		return fmt.Errorf("account %s: want a provider and at least one number", config.Name)
	}
	if config.NumberRate == (limit.NumberRate{}) {
		config.NumberRate = s.cfg.Rules.NumberRate
	}
	a := newAccount(config)
	for _, id := range config.Numbers {
		if other := s.numbers[id]; other != nil {
			return fmt.Errorf("account %s: number %s is account %s's too", config.Name, id, other.account.Name)
		}
		rate, err := limit.NewNumber(config.NumberRate)
		if err != nil {
			return fmt.Errorf("account %s: %w", config.Name, err)
		}
		s.numbers[id] = &number{id: id, account: a, limit: rate}
	}
	s.byName[config.Name] = a
	s.accounts = append(s.accounts, a)
	return nil
}

// shutdownGrace is how long calls may go on, and answers be written down, after
// the context ended.
const shutdownGrace = 5 * time.Second

// Run sends, publishes and syncs templates until ctx ends; then it waits for
// the calls in flight, a few seconds at most, and settles them. It returns an
// error only where going on makes no sense: the ledger has to be opened again.
func (s *Sender) Run(ctx context.Context) error {
	s.syncAll(ctx)
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var loops sync.WaitGroup
	for _, loop := range []func(context.Context) error{s.dispatching, s.publishingLoop, s.syncing} {
		loops.Go(func() {
			if err := loop(running); err != nil {
				stop(err)
			}
		})
	}
	loops.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return context.Cause(running)
}

// Pauses after a trouble with the ledger or the log.
const (
	retryFirst = 100 * time.Millisecond
	retryMost  = 5 * time.Second
)

// dispatching makes a pass whenever something may be due.
func (s *Sender) dispatching(ctx context.Context) error {
	calls, end := s.callContext(ctx)
	defer end()
	var inFlight sync.WaitGroup
	defer func() {
		inFlight.Wait()
		if err := s.flush(ctx); err != nil {
			s.told.trouble("settling answers", err)
		}
	}()
	for failed := 0; ctx.Err() == nil; {
		_, err := s.look(ctx, calls, &inFlight)
		_, moved := errors.AsType[*ledger.MessageError](err)
		switch {
		case errors.Is(err, ledger.ErrInvalidated):
			return err
		case err != nil && ctx.Err() == nil:
			// A message that was paused or cancelled in the middle of a pass is
			// no trouble, unless it happens again at once.
			if !moved || failed > 0 {
				s.told.trouble("dispatch", err)
			}
			pause(ctx, grown(retryFirst, 2, failed, retryMost))
			failed++
		default:
			s.told.over("dispatch")
			failed = 0
			s.sleep(ctx)
		}
	}
	return nil
}

// sleep waits until something may be due.
func (s *Sender) sleep(ctx context.Context) {
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	timer := make(chan struct{})
	if next, ok := s.NextDue(); ok {
		go func() {
			defer close(timer)
			_ = s.cfg.Clock.Wait(waiting, next) // either way there is nothing to do but to look
		}()
	}
	select {
	case <-timer:
	case <-s.due:
	case <-s.cfg.Ledger.Changed():
	case <-ctx.Done():
	}
}

// nudge has the dispatching loop look again.
func (s *Sender) nudge() { signal(s.due) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is already set
	}
}

// pause waits on the machine's clock: it is for troubles of the machine.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// callContext is for calls: it outlives ctx by shutdownGrace, so that answers
// that are on their way are not thrown away.
func (s *Sender) callContext(ctx context.Context) (context.Context, func()) {
	calls, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stopWatching := context.AfterFunc(ctx, func() {
		pause(calls, shutdownGrace)
		cancel()
	})
	return calls, func() {
		stopWatching()
		cancel()
	}
}

// Step makes one pass at the clock's instant and waits until all of its calls
// are settled. sent is how many were handed to a provider; next is NextDue,
// zero where nothing is left to wait for.
func (s *Sender) Step(ctx context.Context) (sent int, next time.Time, err error) {
	calls, end := s.callContext(ctx)
	defer end()
	var inFlight sync.WaitGroup
	sent, err = s.look(ctx, calls, &inFlight)
	inFlight.Wait()
	if err == nil {
		err = s.flush(ctx)
	}
	next, _ = s.NextDue()
	return sent, next, err
}

// lookAgain is how soon messages that are due and may not go are looked at
// again, whatever they wait for: what others wait for may come before.
const lookAgain = time.Minute

// NextDue is the next instant at which there is something to do, which may have
// passed; false if nothing waits. A virtual clock that is moved further makes the
// sender slower, never faster: permits gather for 20 ms only.
func (s *Sender) NextDue() (time.Time, bool) {
	first, waiting := s.cfg.Ledger.NextDue()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.due) > 0 || len(s.cfg.Ledger.Changed()) > 0 {
		return s.cfg.Clock.Now(), true
	}
	if !s.again.IsZero() && (!waiting || s.again.Before(first) || !first.After(s.looked)) {
		return s.again, true
	}
	return first, waiting
}

// Turn is the instant at which the next of the messages that are claimed may
// go; false if none waits for one. A virtual clock may be moved to it though
// calls are under way, as the wall's would move.
func (s *Sender) Turn() (first time.Time, waiting bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range s.turns {
		if !waiting || at.Before(first) {
			first, waiting = at, true
		}
	}
	return first, waiting
}

// Quiet says that nothing is under way: no pass, no call, no answer that is not
// settled, nothing that could be sent at this instant, and every event
// published. A virtual clock may move on.
func (s *Sender) Quiet() bool {
	s.mu.Lock()
	busy := s.working > 0 || len(s.answers) > 0 || s.settling
	s.mu.Unlock()
	if busy {
		return false
	}
	if next, ok := s.NextDue(); ok && !next.After(s.cfg.Clock.Now()) {
		return false
	}
	owed, err := s.cfg.Ledger.Unpublished(context.Background(), 1)
	return err == nil && len(owed) == 0
}

// begin and end frame what must be done before the clock may move.
func (s *Sender) begin() {
	s.mu.Lock()
	s.working++
	s.mu.Unlock()
}

func (s *Sender) end() {
	s.mu.Lock()
	s.working--
	s.mu.Unlock()
}
