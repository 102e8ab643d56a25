package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/goodhour/goodhour/ingest"
	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/sender"
	"github.com/goodhour/goodhour/sender/campaign"
	"github.com/goodhour/goodhour/sender/ledger"
	"github.com/goodhour/goodhour/sender/policy"
)

// sending is the half of the app that writes to people: the ledger, which reads
// the topics as the warehouse does, and what plans and sends by it.
//
// The ledger reads also where no account is configured: an opt-out of today must
// be known to the account of next year, when the topics have long forgotten it.
type sending struct {
	ledger    *ledger.DB
	consumer  *ingest.Consumer
	accounts  []account
	campaigns *campaign.Service // nil without accounts
	sender    *sender.Sender    // nil without accounts
}

func ledgerPath(cfg *Config) string { return filepath.Join(cfg.Data, "live", "ledger.duckdb") }

// openRules reads the policy's rules.
func openRules(cfg *Config) (*policy.Rules, error) {
	if cfg.Sender.RulesFile == "" {
		return policy.Default()
	}
	b, err := os.ReadFile(cfg.Sender.RulesFile)
	if err != nil {
		return nil, fmt.Errorf("sender.rules_file: %w", err)
	}
	return policy.Parse(b)
}

// openLedger opens the second projection of the topics.
func (a *app) openLedger(ctx context.Context) (err error) {
	if a.rules, err = openRules(&a.cfg); err != nil {
		return err
	}
	s := &a.sending
	s.ledger, err = ledger.Open(ctx, ledger.Options{
		Path:        ledgerPath(&a.cfg),
		MemoryLimit: int64(a.cfg.Sender.MemoryLimit),
		Threads:     a.cfg.Sender.Threads,
		Rules:       a.rules,
		Now:         a.clock.Now,
		Logger:      a.log,
	})
	return err
}

// openSending wires what plans and sends. The log is open.
func (a *app) openSending(ctx context.Context, env func(string) (string, bool)) (err error) {
	s := &a.sending
	limits := a.loadLimits()
	if s.consumer, err = a.newConsumer(ctx, s.ledger, limits, a.cfg.Kafka.Group+"-ledger"); err != nil {
		return err
	}
	if s.accounts, err = a.openAccounts(env); err != nil || len(s.accounts) == 0 {
		return err
	}
	s.campaigns, err = campaign.NewService(campaign.Config{
		Ledger:   s.ledger,
		Library:  a.library,
		Personal: a.warehouse,
		Keyer:    a.keyer,
		Accounts: campaignAccounts(s.accounts),
		Rules:    a.rules,
		Now:      a.clock.Now,
		Barrier:  s.consumer,
	})
	if err != nil {
		return err
	}
	s.sender, err = sender.New(sender.Config{
		Ledger:    s.ledger,
		Accounts:  senderAccounts(s.accounts),
		Rules:     a.rules,
		Barrier:   s.consumer,
		Publisher: a.producer,
		Clock:     a.clock,
		ClaimFor:  a.claimFor(),
		Hook:      killHook(env),
		Logger:    a.log,
	})
	return err
}

// claimFor is the span of one claim: the demo's clock stands while one is made.
func (a *app) claimFor() time.Duration {
	if a.cfg.demo {
		return time.Second
	}
	return 0
}

// newConsumer reads all topics into a projection.
func (a *app) newConsumer(ctx context.Context, loader ingest.Loader, limits ingest.Limits, group string) (*ingest.Consumer, error) {
	sources, err := a.openSources(ctx)
	if err != nil {
		return nil, err
	}
	return ingest.NewConsumer(ingest.ConsumerConfig{
		Kafka:   a.kafka,
		Topics:  append(a.kafka.EventTopics(), a.cfg.sourceTopics()...),
		Sources: sources,
		Loader:  loader,
		NewDecoder: func() *event.Decoder {
			return event.NewDecoder(a.keyer)
		},
		Limits: limits,
		Group:  group,
		Logger: a.log,
		Now:    a.now,
	})
}

func (a *app) loadLimits() ingest.Limits {
	return ingest.Limits{
		Records: a.cfg.Load.BatchRows,
		Bytes:   int(a.cfg.Load.BatchBytes),
		Age:     time.Duration(a.cfg.Load.BatchAge),
	}
}

// startSending begins to send what is approved and due.
func (a *app) startSending() {
	if a.sending.sender == nil {
		return
	}
	a.loop("sender", a.sending.sender.Run)
	a.loop("parameters", a.dropParameters)
}

// dropParameters forgets, once a day, what settled messages said.
func (a *app) dropParameters(ctx context.Context) error {
	for {
		before := a.clock.Now().Add(-time.Duration(a.cfg.Sender.ParametersKept))
		if _, err := a.sending.ledger.DropParameters(ctx, before); err != nil && ctx.Err() == nil {
			a.log.Warn("parameters of settled messages are kept for now", "error", err)
		}
		if err := a.clock.Wait(ctx, a.clock.Now().Add(24*time.Hour)); err != nil {
			return err
		}
	}
}

func (s *sending) close() error {
	if s.ledger == nil {
		return nil
	}
	return s.ledger.Close()
}

// waitForEnd waits until both projections hold what the topics hold now.
func (a *app) waitForEnd(ctx context.Context) error {
	return errors.Join(a.consumer.WaitForEnd(ctx), a.sending.consumer.WaitForEnd(ctx))
}
