package sender

import (
	"context"
	"errors"
	"slices"

	"github.com/goodhour/goodhour/sender/ledger"
)

// settle writes down answers. Whoever comes while others' answers are being
// committed leaves his with them: the next commit takes all that came.
func (s *Sender) settle(ctx context.Context, answers ...ledger.Settlement) {
	s.mu.Lock()
	s.answers = append(s.answers, answers...)
	busy := s.settling
	s.mu.Unlock()
	if busy {
		return
	}
	if err := s.flush(ctx); err != nil {
		s.told.trouble("settling answers", err)
		s.nudge() // no more is claimed before they are settled
	}
}

// flush settles the answers that are there, in groups, until none is left or
// one group fails: those are kept, and the next pass tries them again.
func (s *Sender) flush(ctx context.Context) error {
	for {
		group := s.takeAnswers()
		if len(group) == 0 {
			return nil
		}
		err := s.settleGroup(ctx, group)
		s.mu.Lock()
		s.settling = false
		if err != nil {
			s.answers = append(group, s.answers...)
		}
		s.mu.Unlock()
		if err != nil {
			return err
		}
		s.told.over("settling answers")
		signal(s.unpublished)
	}
}

// settledAtOnce bounds a commit.
const settledAtOnce = 1000

// takeAnswers takes a group to settle; none while another is being settled.
func (s *Sender) takeAnswers() []ledger.Settlement {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.settling || len(s.answers) == 0 {
		return nil
	}
	n := min(len(s.answers), settledAtOnce)
	group := slices.Clone(s.answers[:n])
	s.answers = slices.Delete(s.answers, 0, n)
	s.settling = true
	return group
}

func (s *Sender) settleGroup(ctx context.Context, group []ledger.Settlement) error {
	ctx, cancel := settling(ctx)
	defer cancel()
	s.pass(BeforeSettle)
	err := s.cfg.Ledger.Settle(ctx, group)
	if _, one := errors.AsType[*ledger.MessageError](err); !one {
		return err
	}
	// One of them cannot be settled as it stands. It must not take the others
	// along; it stays claimed, and the next start makes it unknown.
	for i := range group {
		err := s.cfg.Ledger.Settle(ctx, group[i:i+1])
		if _, one := errors.AsType[*ledger.MessageError](err); one {
			s.cfg.Logger.Error("an answer cannot be settled: its message becomes unknown at the next start",
				"message_id", group[i].MessageID, "attempt_id", group[i].AttemptID, "outcome", string(group[i].Outcome), "error", err)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// settling is a context in which answers are written down though the one they
// came under has ended.
func settling(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
}
