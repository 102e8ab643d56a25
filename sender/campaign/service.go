package campaign

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/sender/ledger"
	"github.com/goodhour/goodhour/sender/limit"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/policy"
	"github.com/goodhour/goodhour/warehouse"
)

// Account is a configured account, as far as planning needs it.
type Account struct {
	Name           string
	Provider       string // meta
	Mode           plan.Mode
	Numbers        []string
	TestRecipients []identity.ID
	// NumberRate is each number's; zero means that of the rules.
	NumberRate limit.NumberRate
}

// Personal resolves personal values: warehouse.DB.
type Personal interface {
	// Personal returns the newest value of each field of each person, who is
	// given as all of their identities; in the order of people.
	Personal(ctx context.Context, people [][]identity.ID, fields []string) ([]map[string]string, error)
}

// Barrier waits until the ledger has read every topic to the end that it had
// when it was called, so that no opt-out accepted before is missed.
type Barrier interface {
	WaitForEnd(ctx context.Context) error
}

// Config is what a Service works with. All of it is required, but where a
// comment says otherwise.
type Config struct {
	Ledger   *ledger.DB
	Library  *warehouse.Library
	Personal Personal
	Accounts []Account // none: nothing can be planned
	Rules    *policy.Rules
	Now      func() time.Time
	Barrier  Barrier
	// Keyer and CustomerNamespace find a customer by the caller's own key. An
	// empty namespace means identity.NamespaceCustomer.
	Keyer             *identity.Keyer
	CustomerNamespace string
}

// Service keeps campaigns: creates, plans and steers them. It is safe for
// concurrent use.
type Service struct {
	config   Config
	accounts map[string]*Account
	// planning is the campaign whose plan is being made; nil means none. Two
	// plans of one campaign must not be made at once, and one plan uses a good
	// part of the machine.
	planning atomic.Pointer[string]
}

// NewService checks the configuration.
func NewService(c Config) (*Service, error) {
	s := &Service{config: c, accounts: map[string]*Account{}}
	var missing []string
	for name, isThere := range map[string]bool{
		"Ledger": c.Ledger != nil, "Library": c.Library != nil, "Personal": c.Personal != nil, "Rules": c.Rules != nil,
		"Now": c.Now != nil, "Barrier": c.Barrier != nil, "Keyer": c.Keyer != nil,
	} {
		if !isThere {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return nil, fmt.Errorf("campaigns need %s", strings.Join(missing, ", "))
	}
	for i := range c.Accounts {
		a := &c.Accounts[i]
		if s.accounts[a.Name] != nil {
			return nil, fmt.Errorf("two accounts are called %q: rename one", a.Name)
		}
		s.accounts[a.Name] = a
	}
	return s, nil
}

// Summary is a campaign and its plans, the newest first.
type Summary struct {
	ledger.StoredCampaign
	Plans []ledger.PlanStatus `json:"plans"`
}

// Create stores a campaign's file, YAML or JSON. A file of an id that is known
// takes the place of the older one; plans already made stay as they are. by is a
// key's name, or CommandLine. Errors: *InvalidError.
func (s *Service) Create(ctx context.Context, file []byte, by string) (ledger.StoredCampaign, error) {
	c, err := Parse(file)
	if err != nil {
		return ledger.StoredCampaign{}, err
	}
	if err := s.check(c); err != nil {
		return ledger.StoredCampaign{}, err
	}
	raw, err := c.file()
	if err != nil {
		return ledger.StoredCampaign{}, err
	}
	stored := ledger.StoredCampaign{ID: c.ID, Campaign: raw, Author: by, CreatedAt: s.now()}
	return stored, s.config.Ledger.SaveCampaign(ctx, stored)
}

// now is the clock's, to the microsecond that DuckDB keeps.
func (s *Service) now() time.Time { return s.config.Now().UTC().Truncate(time.Microsecond) }

// Campaigns lists all, the newest first.
func (s *Service) Campaigns(ctx context.Context) ([]Summary, error) {
	campaigns, err := s.config.Ledger.Campaigns(ctx)
	if err != nil {
		return nil, err
	}
	plans, err := s.config.Ledger.Plans(ctx)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(campaigns, func(a, b ledger.StoredCampaign) int { return b.CreatedAt.Compare(a.CreatedAt) })
	out := make([]Summary, len(campaigns))
	place := make(map[string]int, len(campaigns))
	for i, c := range campaigns {
		out[i] = Summary{StoredCampaign: c, Plans: []ledger.PlanStatus{}}
		place[c.ID] = i
	}
	for i := range plans {
		if at, ok := place[plans[i].CampaignID]; ok {
			out[at].Plans = append(out[at].Plans, plans[i])
		}
	}
	return out, nil
}

// Plan makes a plan of a campaign, stores it and reports it. Errors:
// ErrNotFound, *InvalidError, *ConflictError where a plan of the campaign is
// unfinished, or while any other plan is being made: nobody waits unseen behind
// a slow audience.
func (s *Service) Plan(ctx context.Context, campaignID, by string) (*Report, error) {
	release, err := s.beginPlanning(campaignID)
	if err != nil {
		return nil, err
	}
	defer release()
	c, err := s.campaign(ctx, campaignID)
	if err != nil {
		return nil, err
	}
	if err := s.checkUnfinished(ctx, campaignID); err != nil {
		return nil, err
	}
	p, report, err := s.make(ctx, c, by)
	if err != nil {
		return nil, err
	}
	if err := s.config.Ledger.AddPlan(ctx, p); err != nil {
		return nil, fmt.Errorf("store the plan of campaign %s: %w", campaignID, err)
	}
	return report, nil
}

// beginPlanning takes the one place where plans are made.
func (s *Service) beginPlanning(campaignID string) (release func(), err error) {
	if s.planning.CompareAndSwap(nil, &campaignID) {
		return func() { s.planning.Store(nil) }, nil
	}
	text := "another campaign is being planned: try again in a moment"
	switch other := s.planning.Load(); {
	case other == nil: // done by now
	case *other == campaignID:
		text = fmt.Sprintf("campaign %s is being planned already: its report comes when that is done", campaignID)
	default:
		text = fmt.Sprintf("another campaign is being planned: %s. Try again when it is done", *other)
	}
	return nil, &ConflictError{Text: text}
}

// campaign reads a stored campaign. It is checked again: the accounts and the
// rules may have changed since.
func (s *Service) campaign(ctx context.Context, id string) (*Campaign, error) {
	campaigns, err := s.config.Ledger.Campaigns(ctx)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(campaigns, func(c ledger.StoredCampaign) bool { return c.ID == id })
	if at < 0 {
		return nil, noCampaign(id)
	}
	c, err := Parse(campaigns[at].Campaign)
	if err != nil {
		return nil, err
	}
	return c, s.check(c)
}

func (s *Service) checkUnfinished(ctx context.Context, campaignID string) error {
	plans, err := s.config.Ledger.Plans(ctx)
	if err != nil {
		return err
	}
	for i := range plans {
		p := &plans[i]
		if p.CampaignID == campaignID && p.Status != plan.Done && p.Status != plan.CancelledPlan {
			return &ConflictError{Text: fmt.Sprintf("campaign %s has the plan %s, which is %s: let it end, or cancel it first", campaignID, p.ID, p.Status)}
		}
	}
	return nil
}

// Report gives a plan's report, as it was planned. Errors: ErrNotFound.
func (s *Service) Report(ctx context.Context, planID string) (*Report, error) {
	status, err := s.plan(ctx, planID)
	if err != nil {
		return nil, err
	}
	return readReport(status.Report, status.ID, status.Hash)
}

func (s *Service) plan(ctx context.Context, planID string) (ledger.PlanStatus, error) {
	status, err := s.config.Ledger.Plan(ctx, planID)
	return status, translate(err)
}

// CommandLine is who acts without a key.
const CommandLine = "command line"

// Approve lets a plan be sent. hash is the plan's, from its report: what is
// approved is what was read. Errors: ErrNotFound; *ConflictError for another
// hash or status, and where the plan's author approves their own plan.
func (s *Service) Approve(ctx context.Context, planID, hash, by string) error {
	status, err := s.plan(ctx, planID)
	if err != nil {
		return err
	}
	if by == status.Author && by != CommandLine {
		return &ConflictError{Text: fmt.Sprintf("plan %s was made with the key %q, which cannot approve it too: let another key approve it", planID, by)}
	}
	return translate(s.config.Ledger.Approve(ctx, planID, hash, by, s.now()))
}

// Pause holds a plan at the next claim. Errors: ErrNotFound, *ConflictError.
func (s *Service) Pause(ctx context.Context, planID, by string) error {
	return translate(s.config.Ledger.Pause(ctx, planID, by, s.now()))
}

// Resume goes on with a paused plan. Errors: ErrNotFound, *ConflictError.
func (s *Service) Resume(ctx context.Context, planID, by string) error {
	return translate(s.config.Ledger.Resume(ctx, planID, by, s.now()))
}

// Cancel ends a plan for good: what waits is never sent. Errors: ErrNotFound,
// *ConflictError.
func (s *Service) Cancel(ctx context.Context, planID, by string) error {
	return translate(s.config.Ledger.Cancel(ctx, planID, by, s.now()))
}

// PauseAll pauses every approved and running plan, and says how many.
func (s *Service) PauseAll(ctx context.Context, by string) (int, error) {
	return s.config.Ledger.PauseAll(ctx, by, s.now())
}

// Status says where a plan stands, by its id or its campaign's: then it is the
// campaign's newest plan. Errors: ErrNotFound.
func (s *Service) Status(ctx context.Context, id string) (ledger.PlanStatus, error) {
	if strings.HasPrefix(id, planPrefix) {
		return s.plan(ctx, id)
	}
	plans, err := s.config.Ledger.Plans(ctx) // the newest first
	if err != nil {
		return ledger.PlanStatus{}, err
	}
	at := slices.IndexFunc(plans, func(p ledger.PlanStatus) bool { return p.CampaignID == id })
	if at >= 0 {
		return plans[at], nil
	}
	campaigns, err := s.config.Ledger.Campaigns(ctx)
	if err != nil {
		return ledger.PlanStatus{}, err
	}
	if slices.ContainsFunc(campaigns, func(c ledger.StoredCampaign) bool { return c.ID == id }) {
		return ledger.PlanStatus{}, notFound("campaign %s has no plan yet: make one with goodhour campaign plan %s", id, id)
	}
	return ledger.PlanStatus{}, noCampaign(id)
}

func noCampaign(id string) error {
	return notFound("there is no campaign %q: goodhour campaign list shows those there are", id)
}

// planPrefix begins every plan's id. No campaign's id does: see campaignID.
const planPrefix = "plan_"

// Decisions lists the messages of a plan by id, those in one state or, with an
// empty one, all: the page after a message's id. Errors: ErrNotFound.
func (s *Service) Decisions(ctx context.Context, planID, state, after string, limit int) ([]ledger.MessageDetail, error) {
	if state != "" && !slices.Contains(plan.States(), plan.State(state)) {
		return nil, invalid("state", "there is no state %q: want one of %v", state, plan.States())
	}
	if _, err := s.plan(ctx, planID); err != nil {
		return nil, err
	}
	messages, err := s.config.Ledger.Messages(ctx, planID, plan.State(state), after, limit)
	return messages, translate(err)
}

// Explain tells all that is known of a plan's messages to a customer: our id, or
// what identity.ParseSubject reads, such as the caller's own key. Errors:
// ErrNotFound, *InvalidError for what can be nobody's id.
func (s *Service) Explain(ctx context.Context, planID, customer string) ([]ledger.MessageDetail, error) {
	if _, err := s.plan(ctx, planID); err != nil {
		return nil, err
	}
	ids, err := s.identitiesOf(customer)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		messages, err := s.config.Ledger.Explain(ctx, planID, id)
		if err != nil {
			return nil, translate(err)
		}
		if len(messages) > 0 {
			return messages, nil
		}
	}
	return nil, notFound("plan %s has no message to this customer: they were not in its audience, or nobody has this id", planID)
}

// identitiesOf are the identities that a text may mean: ours, and the caller's key.
func (s *Service) identitiesOf(customer string) ([]identity.ID, error) {
	var ids []identity.ID
	if id, err := identity.ParseID(strings.TrimSpace(customer)); err == nil {
		ids = append(ids, id)
	}
	namespace, value, err := identity.ParseSubject(customer, s.config.CustomerNamespace)
	if err != nil {
		return nil, invalid("customer", "%v", err)
	}
	return append(ids, s.config.Keyer.ID(namespace, value)), nil
}

// translate turns the ledger's errors into this package's.
func translate(err error) error {
	var hash *ledger.HashError
	var status *ledger.StatusError
	switch {
	case errors.Is(err, ledger.ErrNoPlan):
		return notFound("there is no plan of that id: goodhour campaign list shows those there are")
	case errors.As(err, &hash), errors.As(err, &status):
		return &ConflictError{Text: err.Error(), err: err}
	}
	return err
}
