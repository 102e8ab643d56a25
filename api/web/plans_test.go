package web

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goodhour/goodhour/sender/campaign"
	"github.com/goodhour/goodhour/sender/ledger"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/policy"
	"github.com/goodhour/goodhour/sender/template"
	"github.com/goodhour/goodhour/warehouse"
)

// campaignFile goes to everybody who can be reached, at each one's best hour.
const campaignFile = `
id: spring
audience: {relation: audience.all_reachable}
template: {name: spring_news, language: pt_BR}
account: shop
numbers: ["5511"]
schedule: {send: best_time, time_zone: America/Sao_Paulo, spread_days: 2}
`

// atTheEnd is the barrier where there are no topics: everything is read.
type atTheEnd struct{}

func (atTheEnd) WaitForEnd(context.Context) error { return nil }

// kept is a campaign service with all that it stands on, on a small world of
// its own.
type kept struct {
	data    string
	ledger  *ledger.DB
	service *campaign.Service
}

func newKept(t *testing.T) kept {
	t.Helper()
	k := kept{data: t.TempDir()}
	batch, err := makeWorld(60)
	if err != nil {
		t.Fatal(err)
	}
	if err := publish(t.Context(), k.data, batch); err != nil {
		t.Fatal(err)
	}
	rules, err := policy.Default()
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return testNow }
	db, err := warehouse.Open(t.Context(), warehouse.Options{Path: filepath.Join(k.data, "live", "warehouse.duckdb"), Now: now, Logger: quietLogger})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, db.Close)
	library, err := warehouse.OpenLibrary(t.Context(), k.data, warehouse.Limits{}, quietLogger)
	if err != nil {
		t.Fatal(err)
	}
	closing(t, library.Close)
	k.ledger, err = ledger.Open(t.Context(), ledger.Options{Path: filepath.Join(k.data, "live", "ledger.duckdb"), Rules: rules, Now: now, Logger: quietLogger})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, k.ledger.Close)
	if batch, err = makeWorld(60); err == nil {
		err = k.ledger.Load(t.Context(), batch)
	}
	if err != nil {
		t.Fatal(err)
	}
	news := template.Template{
		Name: "spring_news", Language: "pt_BR", Category: plan.Marketing, Status: policy.TemplateApproved,
		Components: []template.Component{{Part: template.Body, Text: "Novidades da primavera."}},
	}
	if err := k.ledger.SaveTemplates(t.Context(), "shop", []template.Template{news}, testNow); err != nil {
		t.Fatal(err)
	}
	k.service, err = campaign.NewService(campaign.Config{
		Ledger: k.ledger, Library: library, Personal: db, Rules: rules, Now: now, Barrier: atTheEnd{}, Keyer: testKeyer(),
		Accounts: []campaign.Account{{Name: "shop", Provider: "meta", Mode: plan.Sandbox, Numbers: []string{"5511"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func closing(t *testing.T, shut func() error) {
	t.Helper()
	t.Cleanup(func() {
		if err := shut(); err != nil {
			t.Error(err)
		}
	})
}

// A campaign is shown from its file to its last message, before the published
// file knows anything of it.
func TestCampaignThroughItsLife(t *testing.T) {
	t.Parallel()
	k := newKept(t)
	pages := testPages(t, k.data, func(c *Config) {
		c.Campaigns, c.Accounts = k.service, []Account{{Name: "shop", Provider: "meta", Mode: plan.Sandbox}}
		c.Data = "/srv/it's here"
	})
	const onData = " --data &#39;/srv/it&#39;\\&#39;&#39;s here&#39;</code>"
	shows := func(address string, wanted ...string) {
		t.Helper()
		res, body := get(t, pages, address)
		if res.Code != http.StatusOK {
			t.Fatalf("%s: %d", address, res.Code)
		}
		checkPage(t, res, body)
		for _, want := range wanted {
			if !strings.Contains(body, want) {
				t.Errorf("%s does not say %q", address, want)
			}
		}
	}
	if _, err := k.service.Create(t.Context(), []byte(campaignFile), "ana"); err != nil {
		t.Fatal(err)
	}
	shows("/campaigns", "spring", "not planned", "shop: sandbox")
	shows("/campaigns/spring", "Not planned yet", "goodhour campaign plan spring"+onData)

	report, err := k.service.Plan(t.Context(), "spring", "ana")
	if err != nil {
		t.Fatal(err)
	}
	if report.ToSend == 0 || report.ToSend == report.Audience {
		t.Fatalf("%d of %d are to be sent: the test shows nothing", report.ToSend, report.Audience)
	}
	control, holdout := report.Arms[plan.Control], report.Arms[plan.Holdout]
	if control+holdout == 0 || control+holdout != report.States[plan.HeldOut] {
		t.Fatalf("%d control, %d holdout, %d held out", control, holdout, report.States[plan.HeldOut])
	}
	shows("/campaigns", "planned", `title="`+report.PlanID+`"`, "plan "+strings.TrimPrefix(report.PlanID, "plan_")[:6]+"…", "goodhour campaign pause --all"+onData)
	shows("/campaigns/spring", "planned by ana", "goodhour campaign approve "+report.PlanID+" --hash "+report.Hash+onData,
		fmt.Sprintf("%d control, %d holdout", control, holdout),
		"Kept without a message on purpose", "The next model run counts its messages")
	shows("/campaigns/"+report.PlanID, "spring", "planned by ana")

	if err := k.service.Approve(t.Context(), report.PlanID, report.Hash, "ben"); err != nil {
		t.Fatal(err)
	}
	shows("/campaigns/spring", "approved by ben", "goodhour campaign pause "+report.PlanID)
	sendOne(t, k.ledger)
	shows("/campaigns/spring", "After the provider took them", "<span>accepted</span> <b>1</b>", "an answer without one is not counted here",
		`<a href="/campaigns/spring?still=1">`)
	for address, want := range map[string]string{"/campaigns/spring": "15", "/campaigns/spring?still=1": "", "/campaigns": ""} {
		if res, _ := get(t, pages, address); res.Header().Get("Refresh") != want {
			t.Errorf("%s: Refresh %q, want %q", address, res.Header().Get("Refresh"), want)
		}
	}
	if _, err := k.service.PauseAll(t.Context(), "ben"); err != nil {
		t.Fatal(err)
	}
	shows("/campaigns/spring", "Nothing is sent until somebody resumes it.", "goodhour campaign resume "+report.PlanID)
	if err := k.service.Cancel(t.Context(), report.PlanID, "ben"); err != nil {
		t.Fatal(err)
	}
	shows("/campaigns/spring", "What waited is never sent.")
}

// What is said of a plan is what was counted, not what was expected of it.
func TestPlanFactsAreCounted(t *testing.T) {
	t.Parallel()
	r := &request{edition: testEdition(t)}
	report := &campaign.Report{
		Arms: map[plan.Arm]int{plan.Treatment: 9000, plan.Control: 1496, plan.Holdout: 246}, Control: policy.Control{Percent: 5, Customers: 1475},
		TimeZonesUnknown: 1012,
	}
	if got := r.keptBack(report).Value; got != "1,496 control, 246 holdout" {
		t.Errorf("kept back: %s", got)
	}
	report.Arms, report.Control = map[plan.Arm]int{plan.Holdout: 3}, policy.Control{Reason: policy.AudienceTooSmall}
	if got := r.keptBack(report); got.Value != "0 control, 3 holdout" || !strings.Contains(got.Definition, "the audience is too small to show a lift") {
		t.Errorf("kept back without a control: %+v", got)
	}
	status := &ledger.PlanStatus{Rules: map[policy.Rule]int{policy.QuietHours: 7, policy.OptedOut: 8}}
	rows := r.planReasons(status, report).Rows
	if len(rows) != 2 || !strings.Contains(rows[1][0].Sub, "Of the audience, 1,012 have no known time zone.") || strings.Contains(rows[0][0].Sub, "time zone") {
		t.Errorf("the reasons: %+v", rows)
	}
	report.TimeZonesUnknown = 0
	if sub := r.planReasons(status, report).Rows[1][0].Sub; strings.Contains(sub, "Of the audience") || !strings.Contains(sub, "time zone is not known") {
		t.Errorf("the reason, all zones known: %s", sub)
	}
}

// sendOne claims the first message and settles it as accepted.
func sendOne(t *testing.T, db *ledger.DB) {
	t.Helper()
	at, ok := db.NextDue()
	if !ok {
		t.Fatal("nothing comes due")
	}
	due, err := db.Due(t.Context(), at, 1)
	if err != nil || len(due) != 1 {
		t.Fatal(len(due), err)
	}
	attempt := db.NextAttempt(due[0].ID)
	claim := ledger.Claim{MessageID: due[0].ID, AttemptID: attempt, At: at, Decision: plan.Decision{
		MessageID: due[0].ID, Stage: plan.AtClaim, Verdict: plan.Allow, At: at,
	}}
	if err := db.Claim(t.Context(), []ledger.Claim{claim}); err != nil {
		t.Fatal(err)
	}
	settled := ledger.Settlement{MessageID: due[0].ID, AttemptID: attempt, At: at, Outcome: ledger.Accepted, ProviderMessageID: "wamid.1"}
	if err := db.Settle(t.Context(), []ledger.Settlement{settled}); err != nil {
		t.Fatal(err)
	}
}
