package sender

import (
	"context"
	"fmt"
	"time"

	"github.com/goodhour/goodhour/sender/policy"
	"github.com/goodhour/goodhour/sender/template"
)

const (
	// syncEvery is how often all templates are listed. Meta allows 200 calls of
	// this kind an hour and asks not to poll (Meta, "About the platform", rate
	// limits; checked 2026-11-23).
	syncEvery = 10 * time.Minute
	// syncWait bounds one listing, on the machine's clock.
	syncWait = time.Minute
)

// SyncTemplates lists an account's templates at its provider, stores them, and
// returns how many there are.
func (s *Sender) SyncTemplates(ctx context.Context, name string) (int, error) {
	a, known := s.byName[name]
	if !known {
		return 0, fmt.Errorf("sync the templates of account %s: no such account is configured", name)
	}
	ctx, cancel := context.WithTimeout(ctx, syncWait)
	defer cancel()
	list, err := a.Provider.Templates(ctx)
	if err != nil {
		return 0, fmt.Errorf("sync the templates of account %s: %w", name, err)
	}
	if err := s.cfg.Ledger.SaveTemplates(ctx, name, list, s.cfg.Clock.Now()); err != nil {
		return 0, fmt.Errorf("store the templates of account %s: %w", name, err)
	}
	return len(list), nil
}

// syncAll syncs every account, and tells once of one that cannot be: what is
// stored of it stays valid.
func (s *Sender) syncAll(ctx context.Context) {
	for _, a := range s.accounts {
		s.syncOne(ctx, a.Name)
	}
}

func (s *Sender) syncOne(ctx context.Context, name string) {
	if _, err := s.SyncTemplates(ctx, name); err != nil && ctx.Err() == nil {
		s.told.trouble("templates of account "+name, err)
		return
	}
	s.told.over("templates of account " + name)
}

// syncing syncs all templates now and then, and one account's when it is asked.
func (s *Sender) syncing(ctx context.Context) error {
	for ctx.Err() == nil {
		waiting, stop := context.WithCancel(ctx)
		timer := make(chan struct{})
		go func() {
			defer close(timer)
			_ = s.cfg.Clock.Wait(waiting, s.cfg.Clock.Now().Add(syncEvery))
		}()
		select {
		case name := <-s.sync:
			s.syncOne(ctx, name)
		case <-timer:
			s.syncAll(ctx)
		case <-ctx.Done():
		}
		stop()
		<-timer
	}
	return nil
}

// askSync has an account's templates synced soon. One request is enough: where
// another waits already, the regular sync is the next.
func (s *Sender) askSync(name string) {
	select {
	case s.sync <- name:
	default:
	}
}

// live is a plan's template as the ledger has it now, and what the policy reads
// of it and of its account.
type live struct {
	template *template.Template // nil if there is none
	account  policy.Account
}

// live reads the template. One that was refused a moment ago is not known to be
// sendable, whatever the last sync said. That it is missing or changed counts
// once a second listing, template_ready.recheck later at least, says so too.
func (s *Sender) live(p *planned, a *account, now time.Time) live {
	out := live{account: policy.Account{Mode: a.Mode}}
	key := templateKey{p.template.Name, p.template.Language}
	if key == (templateKey{}) {
		return out // a free-form message
	}
	t, found := s.cfg.Ledger.Template(a.Name, key.name, key.language)
	_, syncedAt := s.cfg.Ledger.Templates(a.Name)
	switch {
	case found:
		out.template = t
		out.account.Template = t.State(p.template.BodyHash)
	case !syncedAt.IsZero():
		out.account.Template.Status = policy.TemplateMissing
	}
	since := s.cfg.Ledger.TemplateSince(a.Name, key.name, key.language)
	out.account.Template.Unconfirmed = syncedAt.Sub(since) < s.cfg.Rules.TemplateReady.Recheck
	if s.templateHeld(a, key, now) {
		out.account.Template.Status = policy.TemplateUnknown
	}
	return out
}
