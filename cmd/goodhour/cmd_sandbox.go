package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/goodhour/goodhour/sender/provider"
	"github.com/goodhour/goodhour/sender/sandbox"
)

// runSandbox serves the sandbox in a process of its own, on the wall's clock.
func runSandbox(ctx context.Context, c *cli, args []string) (err error) {
	flags := newFlags(c, "sandbox")
	listen := flags.String("listen", "127.0.0.1:9090", "`ADDRESS` to listen on, on this machine")
	dir := flags.String("dir", "sandbox", "`DIR` with its log of what was sent, and its secrets")
	webhook := flags.String("webhook", "http://127.0.0.1:8080/webhooks/meta", "`URL` that statuses and answers are sent to")
	customers := flags.Int("customers", 1000, "how many invented customers there are")
	seed := flags.Uint64("seed", 1, "which world it is")
	faultsFile := flags.String("faults", "", "YAML `FILE` with faults to inject")
	if err := parseFlags(flags, args); err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(*listen)
	if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return usagef("--listen %s: the sandbox is for this machine only, such as 127.0.0.1:9090", *listen)
	}
	if !isLoopbackURL(*webhook) {
		return usagef("--webhook %s: the sandbox calls this machine only", *webhook)
	}
	faults, err := readFaults(*faultsFile)
	if err != nil {
		return err
	}
	account, err := openSandboxAccount(*dir)
	if err != nil {
		return err
	}
	start := c.now().Add(-90 * 24 * time.Hour).Truncate(24 * time.Hour)
	box, err := sandbox.Open(sandbox.Config{
		Dir: *dir, World: sandbox.WorldConfig{Seed: *seed, Customers: *customers, Start: start, End: c.now()},
		Account: account, WebhookURL: *webhook, Clock: wallClock{}, Faults: faults, Logger: c.log,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", *listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w; choose another with --listen", *listen, err)
	}
	stop := serveHTTP(&http.Server{Handler: box.Handler(), ReadHeaderTimeout: 10 * time.Second}, listener)
	defer func() { err = errors.Join(err, stop()) }()
	printSandboxAccount(c, "http://"+listener.Addr().String(), *dir, &account)
	if err := box.Run(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

func readFaults(name string) (faults sandbox.Faults, err error) {
	if name == "" {
		return faults, nil
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return faults, fmt.Errorf("--faults: %w", err)
	}
	if err := yaml.UnmarshalWithOptions(b, &faults, yaml.Strict()); err != nil {
		return faults, fmt.Errorf("--faults %s: %s", name, strings.TrimSpace(yaml.FormatError(err, false, true)))
	}
	return faults, nil
}

// The sandbox's ids, made up in Meta's form.
const (
	sandboxWABA   = "100000000000001"
	sandboxNumber = "200000000000001"
)

// The files of a sandbox's secrets.
const (
	sandboxTokenFile  = "token"
	sandboxSecretFile = "app_secret"
	sandboxVerifyFile = "verify_token"
)

// openSandboxAccount reads the sandbox's secrets, or makes them on first use.
func openSandboxAccount(dir string) (sandbox.Account, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return sandbox.Account{}, fmt.Errorf("make the sandbox's folder: %w", err)
	}
	secrets := make(map[string]provider.Secret)
	for _, name := range []string{sandboxTokenFile, sandboxSecretFile, sandboxVerifyFile} {
		value, err := ownSecret(filepath.Join(dir, name))
		if err != nil {
			return sandbox.Account{}, fmt.Errorf("the sandbox's secret: %w", err)
		}
		secrets[name] = provider.NewSecret(value)
	}
	return sandbox.Account{
		WABAID: sandboxWABA, NumberID: sandboxNumber, AccessToken: secrets[sandboxTokenFile],
		AppSecret: secrets[sandboxSecretFile], VerifyToken: secrets[sandboxVerifyFile],
	}, nil
}

// ownSecret reads a secret of our own making, or makes it.
func ownSecret(name string) (string, error) {
	b, err := os.ReadFile(name)
	if err == nil {
		return strings.TrimSpace(string(b)), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	secret := rand.Text()
	return secret, writeFileAtomic(name, []byte(secret+"\n"), 0o600)
}

// printSandboxAccount prints what to paste into the configuration.
func printSandboxAccount(c *cli, address, dir string, account *sandbox.Account) {
	fmt.Fprintf(c.stderr, "Sandbox at %s. Put this into goodhour.yaml and start goodhour serve:\n", address)
	fmt.Fprintf(c.stdout, `accounts:
  - name: sandbox
    provider: meta
    mode: sandbox
    base_url: %s
    account_id: "%s"
    numbers: ["%s"]
    token_file: %s
    app_secret_file: %s
    verify_token_file: %s
`, address, account.WABAID, account.NumberID,
		filepath.Join(dir, sandboxTokenFile), filepath.Join(dir, sandboxSecretFile), filepath.Join(dir, sandboxVerifyFile))
}
