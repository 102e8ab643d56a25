package sender

import (
	"fmt"
	"time"

	"github.com/goodhour/goodhour/sender/provider"
)

// What is lost is never sent again, so a provider that is out must not go on
// taking messages: after doubtAfter lost answers in a row a number is halted,
// and after each halt it sends one message, a probe. The waits are ours: an
// outage of an hour costs about ten messages.
const (
	doubtAfter = 3
	probeFirst = 30 * time.Second
	probeMost  = 10 * time.Minute
)

// doubt is what a number's last answers were. The Sender's mu guards it.
type doubt struct {
	// lost is how many answers were lost since the last definite one.
	lost int
	// calls is how many are in flight.
	calls int
}

func (d *doubt) on() bool { return d.lost >= doubtAfter }

// calling counts a call that begins.
func (s *Sender) calling(n *number) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n.doubt.calls++
}

// hungUp frees a call's slot.
func (s *Sender) hungUp(n *number) {
	s.mu.Lock()
	n.doubt.calls--
	s.mu.Unlock()
	<-n.account.slots
}

// probing says whether a number may send but one message, and whether that, or
// another call, is still in flight.
func (s *Sender) probing(n *number) (one, busy bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return n.doubt.on(), n.doubt.calls > 0
}

// lost notes that an answer was lost, and halts the number where that goes on.
func (s *Sender) lost(n *number, now time.Time, e *provider.Error) {
	s.mu.Lock()
	n.doubt.lost++
	lost, on := n.doubt.lost, n.doubt.on()
	s.mu.Unlock()
	if !on {
		return
	}
	why := *e
	why.Detail = fmt.Sprintf("%d answers in a row were lost, the last: %s", lost, e.Detail)
	s.halt(&n.halt, now, numberStopped, probeFirst, probeMost, "number "+n.id, &why)
}

// answered notes a definite answer, which ends a halt for lost ones. One that
// was on its way when the halt began proves nothing.
func (s *Sender) answered(n *number, now time.Time) {
	s.mu.Lock()
	if n.doubt.on() && n.halt.on(now) {
		s.mu.Unlock()
		return
	}
	over := n.doubt.on()
	n.doubt.lost = 0
	if over {
		n.halt = halt{}
	}
	s.mu.Unlock()
	if over {
		s.told.over("number " + n.id)
	}
}
