package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/sender"
	"github.com/goodhour/goodhour/sender/campaign"
	"github.com/goodhour/goodhour/sender/limit"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/policy"
	"github.com/goodhour/goodhour/sender/provider"
	"github.com/goodhour/goodhour/sender/provider/meta"
)

// AccountConfig is one account at a provider. Its three secrets come from files
// or from the environment (GOODHOUR_ACCOUNTS_SHOP_TOKEN for the token of the
// account shop), never from this file.
type AccountConfig struct {
	// Name is how campaigns name the account.
	Name     string `yaml:"name"`
	Provider string `yaml:"provider"` // meta
	// Mode is sandbox (goodhour's own, on this machine) or test (a real
	// account, to listed recipients only). live is refused for now.
	Mode string `yaml:"mode"`
	// AccountID is the WhatsApp Business Account's.
	AccountID string `yaml:"account_id"`
	// Numbers are the ids of the numbers that may send.
	Numbers         []string `yaml:"numbers"`
	TokenFile       string   `yaml:"token_file"`
	AppSecretFile   string   `yaml:"app_secret_file"`
	VerifyTokenFile string   `yaml:"verify_token_file"`
	// BaseURL of the provider; for the sandbox where it listens.
	BaseURL string `yaml:"base_url"`
	// TestRecipients are phones, with country code, or BSUIDs.
	TestRecipients []string `yaml:"test_recipients"`
	// CampaignPerMinute and PerSecond are each number's rate; 0 means the
	// default of the policy's rules.
	CampaignPerMinute int `yaml:"campaign_per_minute"`
	PerSecond         int `yaml:"per_second"`

	// secrets are for the demo, which makes its own.
	secrets accountSecrets
}

type accountSecrets struct{ token, appSecret, verifyToken provider.Secret }

var accountNameForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

// problems says everything that is wrong with the account.
func (c *AccountConfig) problems() []error {
	var p []error
	add := func(ok bool, format string, args ...any) {
		if !ok {
			p = append(p, fmt.Errorf("accounts.%s: "+format, append([]any{c.Name}, args...)...))
		}
	}
	add(accountNameForm.MatchString(c.Name), "name: want lower-case letters, digits and _, such as shop")
	add(c.Provider == meta.DefaultName, "provider: want meta, got %q", c.Provider)
	switch plan.Mode(c.Mode) {
	case plan.Sandbox:
		add(isLoopbackURL(c.BaseURL), "base_url: a sandbox is on this machine, such as http://127.0.0.1:9090 (goodhour sandbox prints it)")
	case plan.Test:
		add(c.BaseURL == "" || !isLoopbackURL(c.BaseURL), "base_url: %s is no provider; for a sandbox set mode: sandbox", c.BaseURL)
	case plan.Live:
		// The policy says which rules are still missing.
		add(false, "mode: %v", policy.Refuse(plan.Live))
	default:
		add(false, "mode: want sandbox or test, got %q", c.Mode)
	}
	add(len(c.Numbers) > 0, "numbers: name at least one")
	add(c.CampaignPerMinute >= 0 && c.PerSecond >= 0, "campaign_per_minute and per_second: want 0 or more")
	return p
}

// accountProblems says what is wrong with the accounts, each and together.
func accountProblems(accounts []AccountConfig) []error {
	var p []error
	seen := make(map[string]bool)
	sandboxes := 0
	for i := range accounts {
		c := &accounts[i]
		p = append(p, c.problems()...)
		if seen[c.Name] {
			p = append(p, fmt.Errorf("accounts.%s: the name stands twice", c.Name))
		}
		seen[c.Name] = true
		if c.Mode == string(plan.Sandbox) {
			sandboxes++
		}
	}
	if sandboxes > 0 && sandboxes < len(accounts) {
		p = append(p, errors.New("accounts: a sandbox's and a provider's cannot share a data directory: run two, each with its own"))
	}
	return p
}

func isLoopbackURL(text string) bool {
	u, err := url.Parse(text)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// account is a configured account that is ready to send.
type account struct {
	config   AccountConfig
	provider provider.Provider
	tests    []identity.ID
	rate     limit.NumberRate
}

// openAccounts makes the providers' clients.
func (a *app) openAccounts(env func(string) (string, bool)) ([]account, error) {
	out := make([]account, 0, len(a.cfg.Accounts))
	var problems []error
	for i := range a.cfg.Accounts {
		opened, err := a.openAccount(a.cfg.Accounts[i], env)
		if err != nil {
			problems = append(problems, fmt.Errorf("account %s: %w", a.cfg.Accounts[i].Name, err))
		}
		out = append(out, opened)
	}
	return out, errors.Join(problems...)
}

func (a *app) openAccount(c AccountConfig, env func(string) (string, bool)) (account, error) {
	out := account{config: c, rate: a.rules.NumberRate}
	var errs []error
	secret := func(own provider.Secret, file, name string) provider.Secret {
		if !own.IsZero() {
			return own
		}
		value, err := readSecret(file, env, "GOODHOUR_ACCOUNTS_"+strings.ToUpper(c.Name+"_"+name))
		errs = append(errs, err)
		return value
	}
	config := meta.Config{
		BaseURL: c.BaseURL, AccountID: c.AccountID,
		Token:       secret(c.secrets.token, c.TokenFile, "token"),
		AppSecrets:  []provider.Secret{secret(c.secrets.appSecret, c.AppSecretFile, "app_secret")},
		VerifyToken: secret(c.secrets.verifyToken, c.VerifyTokenFile, "verify_token"),
	}
	if err := errors.Join(errs...); err != nil {
		return out, err
	}
	// Its own pool: one idle connection to each host would be opened anew for
	// nearly every message.
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // the standard library's own
	transport.MaxIdleConnsPerHost = 64
	var err error
	if out.provider, err = meta.New(config, &http.Client{Transport: transport}, a.log); err != nil {
		return out, err
	}
	if c.CampaignPerMinute > 0 {
		out.rate.CampaignPerMinute = c.CampaignPerMinute
	}
	if c.PerSecond > 0 {
		out.rate.PerSecond = c.PerSecond
	}
	if err := out.rate.Validate(); err != nil {
		return out, err
	}
	for _, recipient := range c.TestRecipients {
		id, err := a.recipientID(recipient)
		if err != nil {
			return out, err
		}
		out.tests = append(out.tests, id)
	}
	return out, nil
}

// recipientID is the identity of a listed phone or BSUID.
func (a *app) recipientID(recipient string) (identity.ID, error) {
	form := identity.NamespaceBSUID
	if strings.HasPrefix(recipient, "+") {
		form = identity.NamespacePhone
	}
	namespace, value, err := identity.ParseSubject(form+":"+recipient, identity.NamespaceCustomer)
	if err != nil {
		return identity.ID{}, fmt.Errorf("test_recipients: one is neither a phone with + and country code nor a BSUID: %w", err)
	}
	return a.keyer.ID(namespace, value), nil
}

// readSecret reads a secret from its file, else from the environment.
func readSecret(file string, env func(string) (string, bool), name string) (provider.Secret, error) {
	value, ok := env(name)
	switch {
	case file != "" && ok:
		return provider.Secret{}, fmt.Errorf("%s is set and the file %s is named too: give one of them", name, file)
	case ok:
		return provider.NewSecret(value), nil
	case file == "":
		return provider.Secret{}, fmt.Errorf("no secret: set %s, or name a file for it", name)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return provider.Secret{}, fmt.Errorf("read a secret: %w", err)
	}
	return provider.NewSecret(strings.TrimSpace(string(b))), nil
}

// campaignAccounts and senderAccounts are what the two need of the accounts.
func campaignAccounts(list []account) []campaign.Account {
	out := make([]campaign.Account, len(list))
	for i, a := range list {
		out[i] = campaign.Account{
			Name: a.config.Name, Provider: a.config.Provider, Mode: plan.Mode(a.config.Mode),
			Numbers: a.config.Numbers, TestRecipients: a.tests, NumberRate: a.rate,
		}
	}
	return out
}

func senderAccounts(list []account) []sender.Account {
	out := make([]sender.Account, len(list))
	for i, a := range list {
		out[i] = sender.Account{
			Name: a.config.Name, Mode: plan.Mode(a.config.Mode), Provider: a.provider,
			Numbers: a.config.Numbers, TestRecipients: a.tests, NumberRate: a.rate,
		}
	}
	return out
}

// webhooks are the accounts that may answer /webhooks/{provider}.
func webhooks(list []account) map[string][]provider.Provider {
	out := make(map[string][]provider.Provider)
	for _, a := range list {
		out[a.config.Provider] = append(out[a.config.Provider], a.provider)
	}
	return out
}

// A data directory belongs to one world: what a sandbox's invented customers
// did must never be taken for real, nor written to.
const (
	worldDemo    = "demo"
	worldSandbox = "sandbox"
	worldReal    = "real"
)

func worldPath(cfg *Config) string { return filepath.Join(cfg.Data, "world") }

// world is the world of the configured accounts; empty without any.
func (c *Config) world() string {
	for i := range c.Accounts {
		switch {
		case c.demo:
			return worldDemo
		case c.Accounts[i].Mode == string(plan.Sandbox):
			return worldSandbox
		default:
			return worldReal
		}
	}
	return ""
}

// claimWorld marks the data directory with the accounts' world, and refuses
// accounts of another. It returns the mark.
func claimWorld(cfg *Config) (string, error) {
	b, err := os.ReadFile(worldPath(cfg))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read whose world the data directory is of: %w", err)
	}
	marked, want := strings.TrimSpace(string(b)), cfg.world()
	switch {
	case want == "" || want == marked:
		return marked, nil
	case marked != "":
		return marked, fmt.Errorf("data directory %s holds the %s world, the configured accounts are of the %s one: use another with --data",
			cfg.Data, marked, want)
	}
	return want, writeFileAtomic(worldPath(cfg), []byte(want+"\n"), 0o600)
}
