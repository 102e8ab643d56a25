package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
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

const sandboxHelp = `
It speaks WhatsApp's Cloud API. Whoever you write to has WhatsApp there, and reads, answers,
and opts out as people do. Stop it with Ctrl-C; started again it goes on where it stood.

Write to it as to a provider, from a data directory of its own:

  goodhour sandbox                # in a terminal of its own
  cp sandbox/goodhour.yaml .      # its account, and the data directory
  goodhour serve
`

// runSandbox serves the sandbox in a process of its own, on the wall's clock.
func runSandbox(ctx context.Context, c *cli, args []string) (err error) {
	flags := newFlags(c, "sandbox")
	listen := flags.String("listen", "127.0.0.1:9090", "`ADDRESS` to listen on, on this machine")
	dir := flags.String("dir", "sandbox", "`DIR` with its log of what was sent, its secrets, and goodhour.yaml")
	webhook := flags.String("webhook", "", "`URL` that statuses and answers are sent to (default: /webhooks/meta where api.listen says)")
	customers := flags.Int("customers", 1000, "how many invented customers there are")
	seed := flags.Uint64("seed", 1, "which world it is")
	strict := flags.Bool("strict", false, "only the invented customers have WhatsApp: who else is written to fails with 131026")
	faultsFile := flags.String("faults", "", "YAML `FILE` with faults to inject")
	if err := parseFlags(flags, args); err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(*listen)
	if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return usagef("--listen %s: the sandbox is for this machine only, such as 127.0.0.1:9090", *listen)
	}
	if *webhook == "" {
		*webhook = "http://" + localAddress(c.cfg.API.Listen) + "/webhooks/meta"
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
	world, err := openSandboxWorld(*dir, sandbox.WorldConfig{Seed: *seed, Customers: *customers}, c.now())
	if err != nil {
		return err
	}
	box, err := sandbox.Open(sandbox.Config{
		Dir: *dir, World: world, Account: account, WebhookURL: *webhook, Clock: wallClock{}, Faults: faults,
		AdmitStrangers: !*strict, Logger: c.log,
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
	address := "http://" + listener.Addr().String()
	config := filepath.Join(*dir, "goodhour.yaml")
	text := sandboxConfig(address, *dir, &account)
	if err := writeFileAtomic(config, []byte(text)); err != nil {
		return fmt.Errorf("write %s: %w", config, err)
	}
	fmt.Fprintf(c.stderr, "Sandbox at %s; what customers do goes to %s.\nIts account is in %s: copy that file here and start goodhour serve.\n",
		address, *webhook, config)
	if err := box.Run(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	fmt.Fprintln(c.stderr, "Stopping.")
	return nil
}

// localAddress is where this machine reaches what listens on an address.
func localAddress(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return listen
}

// openSandboxWorld gives the world that a sandbox began with: were its past to
// end at each start anew, its customers would be others. A first start ends the
// past now.
func openSandboxWorld(dir string, want sandbox.WorldConfig, now time.Time) (world sandbox.WorldConfig, err error) {
	path := filepath.Join(dir, "world.json")
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		want.End = now.UTC().Truncate(time.Second)
		want.Start = want.End.AddDate(0, 0, -90)
		if b, err = json.Marshal(want); err == nil {
			err = writeFileAtomic(path, append(b, '\n'))
		}
		if err != nil {
			return want, fmt.Errorf("keep which world the sandbox is: %w", err)
		}
		return want, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &world)
	}
	if err != nil {
		return world, fmt.Errorf("read which world the sandbox is: %s: %w", path, err)
	}
	if world.Seed != want.Seed || world.Customers != want.Customers {
		return world, fmt.Errorf("the sandbox in %s has %d customers of seed %d, not %d of seed %d: name another folder with --dir",
			dir, world.Customers, world.Seed, want.Customers, want.Seed)
	}
	return world, nil
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
	return secret, writeFileAtomic(name, []byte(secret+"\n"))
}

// sandboxConfig is a configuration that sends to the sandbox.
func sandboxConfig(address, dir string, account *sandbox.Account) string {
	return fmt.Sprintf(`# Made by goodhour sandbox. What invented customers do must not be mixed with
# what your own did: this is a data directory for rehearsals.
data: data-sandbox
accounts:
  - name: shop # as campaigns name it
    provider: meta
    mode: sandbox
    base_url: %s
    account_id: "%s"
    numbers: ["%s"]
    token_file: %q
    app_secret_file: %q
    verify_token_file: %q
`, address, account.WABAID, account.NumberID,
		filepath.Join(dir, sandboxTokenFile), filepath.Join(dir, sandboxSecretFile), filepath.Join(dir, sandboxVerifyFile))
}
