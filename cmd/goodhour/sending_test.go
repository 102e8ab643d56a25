package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/sender/campaign"
	"github.com/goodhour/goodhour/sender/ledger"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/sandbox"
)

// rehearsal is an installation with an account at a sandbox, which runs in a
// process of its own and counts what is submitted to it.
type rehearsal struct {
	*installation
	world  *sandbox.World
	box    *process
	boxURL string
	boxDir string
	config string // the YAML file of the installation's account
	listen string // of the API: the same after each restart
}

// rehearsalOptions say which sandbox.
type rehearsalOptions struct {
	prefix    string // of the topics; empty: the usual one
	seed      uint64
	customers int
	faults    string // YAML, as goodhour sandbox --faults reads it
	account   string // YAML, more of the account's settings
	rules     string // YAML of the policy's rules
}

// startRehearsal starts the sandbox, and configures the account that it says it
// has, with more of the options.
func startRehearsal(ctx context.Context, t *testing.T, brokers []string, o rehearsalOptions) *rehearsal {
	t.Helper()
	r := &rehearsal{installation: newInstallation(t, brokers), boxDir: t.TempDir(), listen: fixedAddress(ctx, t)}
	if o.prefix != "" {
		r.prefix = o.prefix
	}
	dir := t.TempDir()
	faults, rules := filepath.Join(dir, "faults.yaml"), filepath.Join(dir, "rules.yaml")
	writeText(t, faults, o.faults)
	writeText(t, rules, o.rules)
	r.box = startProcess(t, nil, "sandbox", "--listen", "127.0.0.1:0", "--dir", r.boxDir, "--faults", faults,
		"--webhook", "http://"+r.listen+"/webhooks/meta",
		"--customers", fmt.Sprint(o.customers), "--seed", fmt.Sprint(o.seed))
	r.boxURL = r.box.await(ctx, t, "Sandbox at ", ";")
	account, err := os.ReadFile(r.box.await(ctx, t, "Its account is in ", ":"))
	if err != nil {
		t.Fatal(err)
	}
	r.config = filepath.Join(dir, "goodhour.yaml")
	writeText(t, r.config, string(account)+o.account+"sender:\n  rules_file: "+rules+"\n")
	world, err := os.ReadFile(filepath.Join(r.boxDir, "world.json"))
	if err != nil {
		t.Fatal(err)
	}
	var config sandbox.WorldConfig
	readJSON(t, string(world), &config)
	r.world = sandbox.NewWorld(config)
	return r
}

// fixedAddress is one that a process can listen on after each restart: below the
// ports that the system gives to outgoing connections.
func fixedAddress(ctx context.Context, t *testing.T) string {
	t.Helper()
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(10_000)) //nolint:gosec // any that is free
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		if err != nil {
			continue
		}
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
		return address
	}
	t.Fatal("no port between 20000 and 30000 is free")
	return ""
}

func writeText(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// serving starts a serve with the account; env is added to its environment.
func (r *rehearsal) serving(t *testing.T, env ...string) *process {
	t.Helper()
	return startProcess(t, env, append([]string{
		"serve", "--config", r.config, "--set", "api.listen=" + r.listen,
		"--set", "load.batch_age=50ms", "--set", "models.every=1h", "--set", "log.level=warn",
	}, r.settings()...)...)
}

// ready waits until a serve answers.
func (r *rehearsal) ready(ctx context.Context, t *testing.T, serve *process) {
	t.Helper()
	serve.await(ctx, t, "API: ", "/v1/")
}

// open opens the installation in this process, with its account. Nothing is
// sent: what does that is not started.
func (r *rehearsal) open(ctx context.Context, t *testing.T) *app {
	t.Helper()
	c := r.cli()
	config, err := loadConfig(r.config, c.env, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.cfg.Accounts, c.cfg.Sender = config.Accounts, config.Sender
	a, err := openApp(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// shopPast is what the shop knows of the world's customers: who they are, what
// they agreed to, what they bought.
func (r *rehearsal) shopPast() (events []event.Event) {
	for e := range r.world.History() {
		if e.Source == sandbox.ShopSource {
			events = append(events, e)
		}
	}
	return events
}

// approve stores a campaign, plans it, and approves the plan by its report's
// hash, all by a running serve.
func (r *rehearsal) approve(ctx context.Context, t *testing.T, file string) *campaign.Report {
	t.Helper()
	name := filepath.Join(t.TempDir(), "campaign.yaml")
	writeText(t, name, file)
	var stored ledger.StoredCampaign
	readJSON(t, r.run(ctx, t, "--json", "campaign", "create", name), &stored)
	report := &campaign.Report{}
	readJSON(t, r.run(ctx, t, "--json", "campaign", "plan", stored.ID), report)
	r.run(ctx, t, "campaign", "approve", report.PlanID, "--hash", report.Hash)
	return report
}

func readJSON(t *testing.T, text string, out any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), out); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}

// getJSON asks a server on this machine.
func getJSON(ctx context.Context, address string, out any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", address, response.Status, body)
	}
	return json.Unmarshal(body, out)
}

// plans asks a running serve for all plans.
func (r *rehearsal) plans(ctx context.Context) ([]ledger.PlanStatus, error) {
	var list struct {
		Campaigns []campaign.Summary `json:"campaigns"`
	}
	if err := getJSON(ctx, "http://"+r.listen+"/v1/campaigns", &list); err != nil {
		return nil, err
	}
	var plans []ledger.PlanStatus
	for _, c := range list.Campaigns {
		plans = append(plans, c.Plans...)
	}
	return plans, nil
}

// allDone says whether a running serve answers that every plan is done.
func (r *rehearsal) allDone(ctx context.Context) bool {
	plans, err := r.plans(ctx)
	return err == nil && len(plans) > 0 &&
		!slices.ContainsFunc(plans, func(p ledger.PlanStatus) bool { return p.Status != plan.Done })
}

// inState asks a running serve which messages are in a state.
func (r *rehearsal) inState(ctx context.Context, state plan.State) ([]string, error) {
	plans, err := r.plans(ctx)
	if err != nil {
		return nil, err
	}
	var ids []string
	for i := range plans {
		address := "http://" + r.listen + campaignPath(plans[i].ID, "decisions") + "?limit=1000&state=" + string(state)
		for cursor := ""; ; {
			var page struct {
				Messages []struct {
					ID string `json:"id"`
				} `json:"messages"`
				Next *string `json:"next_cursor"`
			}
			if err := getJSON(ctx, address+cursor, &page); err != nil {
				return nil, err
			}
			for _, m := range page.Messages {
				ids = append(ids, m.ID)
			}
			if page.Next == nil {
				break
			}
			cursor = "&cursor=" + url.QueryEscape(*page.Next)
		}
	}
	return ids, nil
}

// counts asks the sandbox what was submitted to it.
func (r *rehearsal) counts(ctx context.Context, t *testing.T) sandbox.Counts {
	t.Helper()
	var counts sandbox.Counts
	if err := getJSON(ctx, r.boxURL+"/_sandbox/submissions", &counts); err != nil {
		t.Fatal(err)
	}
	return counts
}

// submissions reads the sandbox's log: each call, and whom it was to.
func (r *rehearsal) submissions(t *testing.T) (list []sandbox.Submission) {
	t.Helper()
	file, err := os.Open(filepath.Join(r.boxDir, "submissions.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var one sandbox.Submission
		readJSON(t, lines.Text(), &one)
		list = append(list, one)
	}
	if err := errors.Join(lines.Err(), file.Close()); err != nil {
		t.Fatal(err)
	}
	return list
}

// until waits for a condition that another process fulfils.
func until(ctx context.Context, t *testing.T, what string, holds func() bool) {
	t.Helper()
	ticker := time.NewTicker(300 * time.Millisecond)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("waiting until %s: %v", what, context.Cause(ctx))
		}
	}
}

// rows is the answer of a query on the published file.
func (r *rehearsal) rows(ctx context.Context, t *testing.T, query string) [][]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(r.run(ctx, t, "sql", "--format", "csv", query))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows[1:]
}
