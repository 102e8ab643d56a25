package campaign

import (
	"context"
	"errors"

	"github.com/goodhour/goodhour/sender/ledger"
)

// Resolve moves an unknown message of a plan to accepted or failed, on the word
// of somebody who asked the provider. Errors: ErrNotFound, *ConflictError.
func (s *Service) Resolve(ctx context.Context, planID, messageID string, outcome ledger.Outcome, by string) error {
	err := s.config.Ledger.Resolve(ctx, planID, messageID, ledger.Resolution{Outcome: outcome, By: by, At: s.now()})
	if message, ok := errors.AsType[*ledger.MessageError](err); ok {
		return &ConflictError{Text: message.Error(), err: message}
	}
	if errors.Is(err, ledger.ErrNoMessage) {
		return notFound("plan %s has no message of that id: goodhour campaign explain, and the plan's decisions, name them", planID)
	}
	return translate(err)
}
