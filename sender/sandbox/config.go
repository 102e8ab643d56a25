package sandbox

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/goodhour/goodhour/sender/provider"
	"github.com/goodhour/goodhour/sender/template"
)

// Ids of the account in Meta's documentation, which nobody owns.
const (
	DefaultWABAID   = "102290129340398"
	DefaultNumberID = "106540352242922"
)

// Account is the business's account at the sandbox.
type Account struct {
	// WABAID is the WhatsApp Business Account's. Empty means DefaultWABAID.
	WABAID string
	// NumberID may send. Empty means DefaultNumberID.
	NumberID string
	// AccessToken that calls must carry, AppSecret that webhooks are signed
	// with, VerifyToken that the sandbox asks the webhook's URL for.
	AccessToken, AppSecret, VerifyToken provider.Secret
}

// Limits are those that Meta has. Zero fields mean Meta's own.
type Limits struct {
	// PerSecond is the number's throughput (80; Meta, "Throughput"; checked
	// 2026-11-23). Beyond it: 130429.
	PerSecond int `json:"per_second" yaml:"per_second"`
	// PairEvery and PairBurst limit messages to one customer (one each 6 s, 45
	// at once; Meta, "About the platform"; checked 2026-11-23). Beyond: 131056.
	PairEvery time.Duration `json:"pair_every" yaml:"pair_every"`
	PairBurst int           `json:"pair_burst" yaml:"pair_burst"`
	// MarketingPerDay is how much marketing a customer takes in 24 hours. 0
	// means no cap: Meta's own is not published. Beyond it the status is failed
	// with 131049.
	MarketingPerDay int `json:"marketing_per_day" yaml:"marketing_per_day"`
	// WindowAtOnce refuses a free text outside the 24-hour window in the answer.
	// Otherwise it is accepted and its status is failed, as Meta mostly does.
	// Both with 131047.
	WindowAtOnce bool `json:"window_at_once" yaml:"window_at_once"`
}

// window in which a customer's message allows free text (Meta, "Customer
// service windows"; checked 2026-11-23).
const window = 24 * time.Hour

// Config is a sandbox.
type Config struct {
	// Dir keeps the log of submissions and what was delivered.
	Dir     string
	World   WorldConfig
	Account Account
	// WebhookURL gets the webhooks.
	WebhookURL string
	Clock      Clock
	Limits     Limits
	Faults     Faults
	// AdmitStrangers gives WhatsApp to everybody with a phone or BSUID: who is
	// not of the world does as its customers do. It is for a rehearsal with
	// customers of one's own. Otherwise nobody else can be reached (131026).
	AdmitStrangers bool
	// Templates of the account. Nil means Templates().
	Templates []template.Template
	// Shop gets the orders of the world after its past. Nil: nobody does.
	Shop Shop
	// Client makes the webhook calls. Nil means one with a timeout of 30 s.
	Client *http.Client
	Logger *slog.Logger
}

func (c *Config) setDefaults() {
	setDefault(&c.Account.WABAID, DefaultWABAID)
	setDefault(&c.Account.NumberID, DefaultNumberID)
	setDefault(&c.World.NumberID, c.Account.NumberID)
	if c.Limits.PerSecond == 0 {
		c.Limits.PerSecond = 80
	}
	if c.Limits.PairEvery == 0 {
		c.Limits.PairEvery = 6 * time.Second
	}
	if c.Limits.PairBurst == 0 {
		c.Limits.PairBurst = 45
	}
	if c.Templates == nil {
		c.Templates = Templates()
	}
	if c.Client == nil {
		c.Client = &http.Client{Timeout: 30 * time.Second}
	}
}

func (c *Config) check() error {
	var faults []error
	need := func(is bool, text string) {
		if !is {
			faults = append(faults, errors.New(text))
		}
	}
	target, err := url.Parse(c.WebhookURL)
	need(err == nil && target.Host != "" && strings.HasPrefix(target.Scheme, "http"), "webhook_url: want http://host:port/path")
	need(isID(c.Account.WABAID) && isID(c.Account.NumberID), "account: want ids of digits")
	need(!c.Account.AccessToken.IsZero() && !c.Account.AppSecret.IsZero() && !c.Account.VerifyToken.IsZero(),
		"account: want an access token, an app secret and a verify token")
	need(c.Clock != nil && c.Logger != nil && c.Dir != "", "want a clock, a logger and a directory")
	need(c.Limits.PerSecond > 0 && c.Limits.PairBurst > 0 && c.Limits.PairEvery > 0 && c.Limits.MarketingPerDay >= 0, "limits: below zero")
	faults = append(faults, c.World.Validate(), c.Faults.Validate())
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("configuration of the sandbox: %w", err)
	}
	return nil
}

func isID(s string) bool {
	return s != "" && len(s) <= 32 && strings.Trim(s, "0123456789") == ""
}
