package policy

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/goodhour/goodhour/sender/limit"
)

//go:embed rules.yaml
var defaults []byte

// Rules are the values of all rules. They come from Default or Parse, never
// change, and may be shared by goroutines.
type Rules struct {
	// Version names them in plans and decisions: the file's own version and the
	// first 8 hex digits of its SHA-256, so that an edit shows.
	Version       string           `yaml:"version"`
	Holdout       HoldoutRule      `yaml:"holdout"`
	TemplateReady TemplateRule     `yaml:"template_ready"`
	SessionWindow WindowRule       `yaml:"session_window"`
	MaxLateness   time.Duration    `yaml:"max_lateness"` // from SendAt to Deadline where the campaign names no window
	QuietHours    Hours            `yaml:"quiet_hours"`
	MarketingCap  CapRule          `yaml:"marketing_cap"`
	PairRate      limit.PairRate   `yaml:"pair_rate"`
	NumberRate    limit.NumberRate `yaml:"number_rate"`

	overrides Overrides
	zones     *zones
}

// HoldoutRule says how large the arms without messages are.
type HoldoutRule struct {
	GlobalPercent         float64 `yaml:"global_percent"`          // of all customers
	ControlPercent        float64 `yaml:"control_percent"`         // of a campaign's others
	DetectableLiftPercent float64 `yaml:"detectable_lift_percent"` // the relative lift that a control must be able to show
}

// TemplateRule is template_ready's.
type TemplateRule struct {
	// Recheck is the wait before a template that is not approved is looked at
	// again, and the least time between two listings that have it missing or
	// changed before that counts.
	Recheck time.Duration `yaml:"recheck"`
}

// WindowRule is session_window's. WhatsApp allows free-form messages for 24 h
// after the customer's last (Meta, "Send messages", customer service windows,
// which also admits that it refuses some inside; checked 2026-11-23).
type WindowRule struct {
	Window time.Duration `yaml:"window"`
	Margin time.Duration `yaml:"margin"` // off its end
}

// CapRule is marketing_cap's: at most Messages in any (t − Window, t].
type CapRule struct {
	Messages int           `yaml:"messages"`
	Window   time.Duration `yaml:"window"`
}

// Overrides is what a campaign may change.
type Overrides struct {
	// IncludeCold writes to cold customers too.
	IncludeCold bool `json:"include_cold,omitempty" yaml:"include_cold,omitempty"`
}

// Default returns the rules of the embedded file.
func Default() (*Rules, error) { return Parse(defaults) }

// Parse reads a rules file. Every key must be known, and the error tells all
// that is wrong with the values.
func Parse(file []byte) (*Rules, error) {
	r := &Rules{zones: &zones{}}
	if err := yaml.UnmarshalWithOptions(file, r, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("read the policy's rules: %w", err)
	}
	if err := r.validate(); err != nil {
		return nil, fmt.Errorf("the policy's rules: %w", err)
	}
	digest := sha256.Sum256(file)
	r.Version += "+" + hex.EncodeToString(digest[:4])
	return r, nil
}

// With returns the rules with a campaign's overrides, whose names join the
// version.
func (r *Rules) With(o Overrides) *Rules {
	with := *r
	with.overrides = o
	if o.IncludeCold && !r.overrides.IncludeCold {
		with.Version += "+include_cold"
	}
	return &with
}

func (r *Rules) validate() error {
	var problems []error
	require := func(ok bool, problem string) {
		if !ok {
			problems = append(problems, errors.New(problem))
		}
	}
	percent := func(p float64) bool { return p >= 0 && p <= 50 }
	require(r.Version != "", "version: name it")
	require(percent(r.Holdout.GlobalPercent), "holdout.global_percent: 0 to 50")
	require(percent(r.Holdout.ControlPercent), "holdout.control_percent: 0 to 50")
	require(r.Holdout.DetectableLiftPercent > 0 && r.Holdout.DetectableLiftPercent <= 1000,
		"holdout.detectable_lift_percent: over 0, at most 1000")
	require(r.TemplateReady.Recheck >= time.Second, "template_ready.recheck: at least 1s")
	require(r.SessionWindow.Window > 0 && r.SessionWindow.Window <= 24*time.Hour, "session_window.window: over 0, at most 24h")
	require(r.SessionWindow.Margin >= 0 && r.SessionWindow.Margin < r.SessionWindow.Window,
		"session_window.margin: at least 0, less than the window")
	require(r.MaxLateness > 0, "max_lateness: over 0")
	require(r.QuietHours.From != r.QuietHours.To, "quiet_hours: from and to must differ")
	require(r.MarketingCap.Messages >= 1, "marketing_cap.messages: at least 1")
	require(r.MarketingCap.Window >= 24*time.Hour, "marketing_cap.window: at least 24h")
	return errors.Join(append(problems, r.PairRate.Validate(), r.NumberRate.Validate())...)
}
