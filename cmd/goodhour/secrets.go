package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/goodhour/goodhour/sender/provider"
)

type accountSecrets struct{ token, appSecret, verifyToken provider.Secret }

// The secrets of an account, as settings name them.
const (
	secretToken  = "token"
	secretApp    = "app_secret"
	secretVerify = "verify_token"
)

// secretName is the environment's name for a secret of the account.
func (c *AccountConfig) secretName(setting string) string {
	return "GOODHOUR_ACCOUNTS_" + strings.ToUpper(c.Name+"_"+setting)
}

func (c *AccountConfig) secretNames() []string {
	return []string{c.secretName(secretToken), c.secretName(secretApp), c.secretName(secretVerify)}
}

// readSecret reads a secret from its file, which a setting names, or from the
// environment.
func readSecret(file string, env func(string) (string, bool), name, setting string) (provider.Secret, error) {
	value, ok := env(name)
	switch {
	case file != "" && ok:
		return provider.Secret{}, fmt.Errorf("%s is set and %s names %s too: give one of them", name, setting, file)
	case ok && strings.TrimSpace(value) == "":
		return provider.Secret{}, fmt.Errorf("%s is set to nothing: give it the secret", name)
	case ok:
		return provider.NewSecret(strings.TrimSpace(value)), nil
	case file == "":
		return provider.Secret{}, fmt.Errorf("it is missing: set %s in the environment, or name a file that holds it with %s", name, setting)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return provider.Secret{}, fmt.Errorf("%s: %w", setting, err)
	}
	text := strings.TrimSpace(string(b))
	if text == "" {
		return provider.Secret{}, fmt.Errorf("%s: %s is empty: put the secret into it", setting, file)
	}
	return provider.NewSecret(text), nil
}
