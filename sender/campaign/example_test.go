package campaign

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/sandbox"
)

// What stands in examples/ can be planned as it stands.
func TestTheExamplesCanBePlanned(t *testing.T) {
	t.Parallel()
	w, err := newWorld(t.TempDir(), []customer{
		{key: "hot", phone: "+5511930000001", name: "Ana", zone: paulo, consent: []string{"opted_in"}, orderedAgo: 2 * day, amount: "900"},
		{key: "quiet", phone: "+5511930000002", name: "Bia", zone: "", consent: []string{"opted_in"}, orderedAgo: 200 * day, amount: "90"},
		{key: "today", phone: "+5511930000003", name: "Caio", zone: paulo, consent: []string{"opted_in"}, orderedAgo: 5 * time.Hour, amount: "9"},
	}, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.close(); err != nil {
			t.Error(err)
		}
	})
	b := setupIn(t, w)
	if err := b.ledger.SaveTemplates(t.Context(), "shop", sandbox.Templates(), planned); err != nil {
		t.Fatal(err)
	}
	for name, who := range map[string]string{"new_products": "hot", "win_back": "quiet", "order_shipped": "today"} {
		file, err := os.ReadFile(filepath.Join("..", "..", "examples", "campaigns", name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		report := b.plan(string(file))
		if report.CampaignID != name || report.Audience != 1 {
			t.Errorf("%s: %+v", name, report)
		}
		if m := b.message(report.PlanID, who); m.State != plan.Waiting && m.State != plan.HeldOut {
			t.Errorf("%s: %s is %s by %s", name, who, m.State, m.Rule)
		}
	}
	entries, err := os.ReadDir(filepath.Join("..", "..", "examples", "campaigns"))
	if err != nil || len(entries) != 3 {
		t.Errorf("%d examples, and this test plans 3: %v", len(entries), err)
	}
}
