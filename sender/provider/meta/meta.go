package meta

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/goodhour/goodhour/sender/provider"
)

// Defaults of Config.
const (
	DefaultBaseURL = "https://graph.facebook.com"
	// DefaultVersion of the Graph API (in Meta's examples, checked 2026-11-23).
	DefaultVersion = "v25.0"
	DefaultName    = "meta"
	// DefaultTimeout of one call, over which a send becomes ambiguous.
	DefaultTimeout = 30 * time.Second
	// Source of the events that webhooks give.
	Source = "meta/webhook"
)

// Config is an account at Meta.
type Config struct {
	// Name of the provider in events and errors. Empty means DefaultName.
	Name string
	// BaseURL without version. Empty means DefaultBaseURL.
	BaseURL string
	// Version of the Graph API. Empty means DefaultVersion.
	Version string
	// AccountID is the WhatsApp Business Account's, for templates.
	AccountID string
	Token     provider.Secret
	// AppSecrets sign webhooks: one, or two while one is replaced by another,
	// the new one first.
	AppSecrets []provider.Secret
	// VerifyToken answers Meta's challenge.
	VerifyToken provider.Secret
	// Timeout of one call. 0 means DefaultTimeout.
	Timeout time.Duration
}

// Meta is one account at Meta. It is safe for concurrent use.
type Meta struct {
	config Config
	client *http.Client
	logger *slog.Logger
}

var _ provider.Provider = (*Meta)(nil)

var versionForm = regexp.MustCompile(`^v[0-9]{1,3}\.[0-9]{1,2}$`)

// New checks a configuration and says everything that is wrong with it. The
// client's redirects are switched off in a copy: a redirected POST could send
// twice.
func New(config Config, client *http.Client, logger *slog.Logger) (*Meta, error) {
	setDefault(&config.Name, DefaultName)
	setDefault(&config.BaseURL, DefaultBaseURL)
	setDefault(&config.Version, DefaultVersion)
	config.BaseURL = strings.TrimRight(config.BaseURL, "/")
	if config.Timeout == 0 {
		config.Timeout = DefaultTimeout
	}
	if err := config.check(); err != nil {
		return nil, fmt.Errorf("configuration of provider %s: %w", config.Name, err)
	}
	own := *client
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Meta{config: config, client: &own, logger: logger.With("provider", config.Name)}, nil
}

func setDefault(value *string, otherwise string) {
	if *value == "" {
		*value = otherwise
	}
}

func (c *Config) check() error {
	var faults []error
	fault := func(is bool, text string) {
		if is {
			faults = append(faults, errors.New(text))
		}
	}
	base, err := url.Parse(c.BaseURL)
	fault(err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" || base.User != nil || base.RawQuery != "",
		"base_url: want https://host")
	fault(!versionForm.MatchString(c.Version), "version: want one like "+DefaultVersion)
	fault(!isID(c.AccountID), "account_id: want the WhatsApp Business Account's id, digits")
	fault(c.Token.IsZero(), "token: missing")
	fault(c.VerifyToken.IsZero(), "verify_token: missing")
	fault(len(c.AppSecrets) < 1 || len(c.AppSecrets) > 2, "app_secrets: want one, or two while one replaces the other")
	for _, secret := range c.AppSecrets {
		fault(secret.IsZero(), "app_secrets: one is empty")
	}
	fault(c.Timeout < 0, "timeout: below zero")
	return errors.Join(faults...)
}

// isID says whether a text is an id of Meta's, which becomes part of a URL.
func isID(s string) bool {
	return s != "" && len(s) <= 32 && strings.Trim(s, "0123456789") == ""
}
