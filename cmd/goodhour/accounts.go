package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
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

var (
	accountNameForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)
	numberIDForm    = regexp.MustCompile(`^[0-9]{1,32}$`)
)

// problems says everything that is wrong with the nth account of the list.
func (c *AccountConfig) problems(nth int) []error {
	var p []error
	place := "accounts." + c.Name
	if c.Name == "" {
		place = fmt.Sprintf("accounts[%d]", nth)
	}
	add := func(ok bool, format string, args ...any) {
		if !ok {
			p = append(p, fmt.Errorf("%s: "+format, append([]any{place}, args...)...))
		}
	}
	add(accountNameForm.MatchString(c.Name), "name: want lower-case letters, digits and _, such as shop")
	add(c.Provider == meta.DefaultName, "provider: want meta, got %q", c.Provider)
	switch plan.Mode(c.Mode) {
	case plan.Sandbox:
		add(isLoopbackURL(c.BaseURL), "base_url: a sandbox is on this machine, such as http://127.0.0.1:9090 (goodhour sandbox prints it)")
	case plan.Test:
		add(!isLoopbackURL(c.BaseURL), "base_url: %s is no provider; for a sandbox set mode: sandbox", c.BaseURL)
		add(c.BaseURL == "" || isLoopbackURL(c.BaseURL) || strings.HasPrefix(c.BaseURL, "https://"), "base_url: want https://, got %q", c.BaseURL)
		add(len(c.TestRecipients) > 0, "test_recipients: name the phones that may get messages; in mode test nobody else does")
	case plan.Live:
		// The policy says which rules are still missing.
		add(false, "mode: %v", policy.Refuse(plan.Live))
	default:
		add(false, "mode: want sandbox or test, got %q", c.Mode)
	}
	add(len(c.Numbers) > 0, "numbers: name at least one")
	for _, number := range c.Numbers {
		add(numberIDForm.MatchString(number), "numbers: want the numbers' ids at the provider, digits only, got %q", number)
	}
	for i, recipient := range c.TestRecipients {
		_, _, err := parseRecipient(recipient)
		add(err == nil, "test_recipients[%d]: want a phone with + and country code, or a BSUID: %v", i, err)
	}
	add(c.CampaignPerMinute >= 0 && c.PerSecond >= 0, "campaign_per_minute and per_second: want 0 or more")
	return p
}

// accountProblems says what is wrong with the accounts, each and together.
func accountProblems(accounts []AccountConfig) []error {
	var p []error
	sandboxes := 0
	for i := range accounts {
		c := &accounts[i]
		p = append(p, c.problems(i)...)
		if err := c.nameProblem(accounts[:i]); err != nil {
			p = append(p, err)
		}
		if c.Mode == string(plan.Sandbox) {
			sandboxes++
		}
	}
	if sandboxes > 0 && sandboxes < len(accounts) {
		p = append(p, errors.New("accounts: a sandbox's and a provider's cannot share a data directory: run two, each with its own"))
	}
	return p
}

// nameProblem says that the name is one of an account before, or would share a
// secret's variable with it: shop's VERIFY_TOKEN is shop_verify's TOKEN.
func (c *AccountConfig) nameProblem(before []AccountConfig) error {
	for i := range before {
		other := &before[i]
		if c.Name == other.Name && c.Name != "" {
			return fmt.Errorf("accounts.%s: the name stands twice", c.Name)
		}
		for _, name := range c.secretNames() {
			if slices.Contains(other.secretNames(), name) && c.Name != "" {
				return fmt.Errorf("accounts.%s: choose another name: %s would be a secret of %s too", c.Name, name, other.Name)
			}
		}
	}
	return nil
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
		opened, err := a.openAccount(&a.cfg.Accounts[i], env)
		problems = append(problems, err)
		out = append(out, opened)
	}
	return out, errors.Join(problems...)
}

func (a *app) openAccount(c *AccountConfig, env func(string) (string, bool)) (account, error) {
	out := account{config: *c, rate: a.rules.NumberRate}
	var err error
	if out.provider, err = c.connect(env, a.log); err != nil {
		return out, err
	}
	if c.CampaignPerMinute > 0 {
		out.rate.CampaignPerMinute = c.CampaignPerMinute
	}
	if c.PerSecond > 0 {
		out.rate.PerSecond = c.PerSecond
	}
	if err := out.rate.Validate(); err != nil {
		return out, fmt.Errorf("accounts.%s: campaign_per_minute, per_second: %w", c.Name, err)
	}
	for _, recipient := range c.TestRecipients {
		namespace, value, err := parseRecipient(recipient)
		if err != nil {
			return out, fmt.Errorf("accounts.%s: test_recipients: %w", c.Name, err)
		}
		out.tests = append(out.tests, a.keyer.ID(namespace, value))
	}
	return out, nil
}

// connect reads the account's secrets and makes its provider's client. Nothing
// is asked of the provider yet.
func (c *AccountConfig) connect(env func(string) (string, bool), log *slog.Logger) (provider.Provider, error) {
	var errs []error
	secret := func(own provider.Secret, file, setting string) provider.Secret {
		if !own.IsZero() {
			return own
		}
		value, err := readSecret(file, env, c.secretName(setting), setting+"_file")
		if err != nil {
			errs = append(errs, fmt.Errorf("accounts.%s: %s: %w", c.Name, setting, err))
		}
		return value
	}
	config := meta.Config{
		BaseURL: c.BaseURL, AccountID: c.AccountID,
		Token:       secret(c.secrets.token, c.TokenFile, secretToken),
		AppSecrets:  []provider.Secret{secret(c.secrets.appSecret, c.AppSecretFile, secretApp)},
		VerifyToken: secret(c.secrets.verifyToken, c.VerifyTokenFile, secretVerify),
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	// Its own pool: one idle connection to each host would be opened anew for
	// nearly every message.
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // the standard library's own
	transport.MaxIdleConnsPerHost = 64
	client, err := meta.New(config, &http.Client{Transport: transport}, log)
	if err != nil {
		return nil, fmt.Errorf("accounts.%s: %w", c.Name, err)
	}
	return client, nil
}

// parseRecipient reads a listed phone or BSUID.
func parseRecipient(recipient string) (namespace, value string, err error) {
	form := identity.NamespaceBSUID
	if strings.HasPrefix(recipient, "+") {
		form = identity.NamespacePhone
	}
	return identity.ParseSubject(form+":"+recipient, identity.NamespaceCustomer)
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
