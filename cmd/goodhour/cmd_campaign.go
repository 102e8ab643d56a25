package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/goodhour/goodhour/sender/campaign"
	"github.com/goodhour/goodhour/sender/ledger"
	"github.com/goodhour/goodhour/sender/plan"
)

func runCampaign(ctx context.Context, c *cli, args []string) error {
	if len(args) == 0 {
		return usagef("want create, list, plan, approve, pause, resume, cancel, status or explain")
	}
	verbs := map[string]func(context.Context, *cli, []string) error{
		"create": createCampaign, "list": listCampaigns, "plan": planCampaign, "report": reportCampaign,
		"approve": approveCampaign, "pause": pauseCampaign, "resume": resumeCampaign, "cancel": cancelCampaign,
		"status": statusCampaign, "explain": explainCampaign,
	}
	verb, ok := verbs[args[0]]
	if !ok {
		return usagef("want %s; got %q", strings.Join(slices.Sorted(maps.Keys(verbs)), ", "), args[0])
	}
	return verb(ctx, c, args[1:])
}

const mediaTypeJSON = "application/json"

func campaignPath(id, verb string) string {
	path := "/v1/campaigns/" + url.PathEscape(id)
	if verb != "" {
		path += "/" + verb
	}
	return path
}

// oneID takes the one argument that names a campaign or a plan.
func oneID(args []string) (string, error) {
	if len(args) != 1 {
		return "", usagef("name one campaign, or one plan")
	}
	return args[0], nil
}

func createCampaign(ctx context.Context, c *cli, args []string) error {
	if len(args) != 1 {
		return usagef("name one campaign file")
	}
	file, err := os.ReadFile(args[0])
	if err != nil {
		return fmt.Errorf("read the campaign: %w", err)
	}
	mediaType := "application/yaml"
	if strings.EqualFold(filepath.Ext(args[0]), ".json") {
		mediaType = mediaTypeJSON
	}
	return withServer(ctx, c, func(api *controlClient) error {
		var stored ledger.StoredCampaign
		if err := api.api(ctx, http.MethodPost, "/v1/campaigns", mediaType, file, &stored); err != nil {
			return err
		}
		if c.json {
			return printJSON(c.stdout, stored)
		}
		_, err := fmt.Fprintf(c.stdout, "Campaign %s is stored. Nothing is planned yet: goodhour campaign plan %s\n", stored.ID, stored.ID)
		return err
	})
}

func listCampaigns(ctx context.Context, c *cli, args []string) error {
	if len(args) > 0 {
		return usagef("unexpected argument %q", args[0])
	}
	return withServer(ctx, c, func(api *controlClient) error {
		var list struct {
			Campaigns []campaign.Summary `json:"campaigns"`
		}
		if err := api.api(ctx, http.MethodGet, "/v1/campaigns", "", nil, &list); err != nil {
			return err
		}
		if c.json {
			return printJSON(c.stdout, list.Campaigns)
		}
		w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "CAMPAIGN\tPLAN\tSTATUS\tMESSAGES\tACCEPTED\tWAITING")
		for _, s := range list.Campaigns {
			if len(s.Plans) == 0 {
				fmt.Fprintf(w, "%s\t-\tnot planned\t-\t-\t-\n", s.ID)
			}
			for _, p := range s.Plans {
				fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%d\n", s.ID, p.ID, p.Status, p.Messages, p.States[plan.Accepted], p.States[plan.Waiting])
			}
		}
		return w.Flush()
	})
}

func planCampaign(ctx context.Context, c *cli, args []string) error {
	return askReport(ctx, c, args, http.MethodPost, "plan")
}

func reportCampaign(ctx context.Context, c *cli, args []string) error {
	return askReport(ctx, c, args, http.MethodGet, "report")
}

func askReport(ctx context.Context, c *cli, args []string, method, verb string) error {
	id, err := oneID(args)
	if err != nil {
		return err
	}
	return withServer(ctx, c, func(api *controlClient) error {
		var report campaign.Report
		if err := api.api(ctx, method, campaignPath(id, verb), "", nil, &report); err != nil {
			return err
		}
		if c.json {
			return printJSON(c.stdout, report)
		}
		return printReport(c.stdout, &report)
	})
}

// printReport says what a plan would do, before anybody approves it.
func printReport(w io.Writer, r *campaign.Report) error {
	fmt.Fprintf(w, "Plan %s of campaign %s, mode %s\n", r.PlanID, r.CampaignID, r.Mode)
	fmt.Fprintf(w, "  audience   %d customers, from the file published %s (as of %s)\n", r.Audience,
		r.PublishedAt.Format(time.RFC3339), r.AsOf.Format(time.RFC3339))
	fmt.Fprintf(w, "  to send    %d\n", r.ToSend)
	printCounts(w, "by state", r.States)
	printCounts(w, "by rule", r.Rules)
	printCounts(w, "by arm", r.Arms)
	if r.Control.Reason != "" {
		fmt.Fprintf(w, "  control    none: %s\n", r.Control.Reason)
	}
	if !r.FirstSendAt.IsZero() {
		fmt.Fprintf(w, "  first send %s, last %s\n", r.FirstSendAt.Format(time.RFC3339), r.LastSendAt.Format(time.RFC3339))
	}
	printCounts(w, "hours", r.Hours)
	printCounts(w, "why", r.HourReasons)
	fmt.Fprintf(w, "  cost       %s\n", r.PredictedCost)
	_, err := fmt.Fprintf(w, "Nothing is sent before somebody approves exactly this:\n  goodhour campaign approve %s --hash %s\n", r.PlanID, r.Hash)
	return err
}

// printCounts prints a map of counts on one line, the largest first.
func printCounts[K interface{ ~string | ~int }](w io.Writer, name string, counts map[K]int) {
	keys := slices.SortedFunc(maps.Keys(counts), func(a, b K) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
	})
	var parts []string
	for _, key := range keys {
		if counts[key] > 0 {
			parts = append(parts, fmt.Sprintf("%v %d", key, counts[key]))
		}
	}
	if len(parts) > 0 {
		fmt.Fprintf(w, "  %-10s %s\n", name, strings.Join(parts, ", "))
	}
}

func approveCampaign(ctx context.Context, c *cli, args []string) error {
	flags := newFlags(c, "campaign approve")
	hash := flags.String("hash", "", "the plan's `HASH`, as its report says it")
	rest, err := parseMixed(flags, args)
	if err != nil {
		return err
	}
	id, err := oneID(rest)
	if err != nil {
		return err
	}
	if *hash == "" {
		return usagef("name the hash of what you approve with --hash; goodhour campaign report %s shows it", id)
	}
	body, err := json.Marshal(map[string]string{"hash": *hash})
	if err != nil {
		return fmt.Errorf("write the approval: %w", err)
	}
	return actOnCampaign(ctx, c, campaignPath(id, "approve"), body, "is approved; serve sends it as it comes due")
}

func pauseCampaign(ctx context.Context, c *cli, args []string) error {
	flags := newFlags(c, "campaign pause")
	all := flags.Bool("all", false, "hold everything at the next claim")
	rest, err := parseMixed(flags, args)
	if err != nil {
		return err
	}
	if *all {
		if len(rest) > 0 {
			return usagef("--all takes no campaign")
		}
		return withServer(ctx, c, func(api *controlClient) error {
			var out struct {
				Paused int `json:"paused"`
			}
			if err := api.api(ctx, http.MethodPost, "/v1/campaigns/pause-all", "", nil, &out); err != nil {
				return err
			}
			if c.json {
				return printJSON(c.stdout, out)
			}
			_, err := fmt.Fprintf(c.stdout, "Paused: %d plans.\n", out.Paused)
			return err
		})
	}
	id, err := oneID(rest)
	if err != nil {
		return err
	}
	return actOnCampaign(ctx, c, campaignPath(id, "pause"), nil, "is paused")
}

func resumeCampaign(ctx context.Context, c *cli, args []string) error {
	id, err := oneID(args)
	if err != nil {
		return err
	}
	return actOnCampaign(ctx, c, campaignPath(id, "resume"), nil, "goes on")
}

func cancelCampaign(ctx context.Context, c *cli, args []string) error {
	id, err := oneID(args)
	if err != nil {
		return err
	}
	return actOnCampaign(ctx, c, campaignPath(id, "cancel"), nil, "is cancelled; what was accepted before stays accepted")
}

// actOnCampaign posts a decision and says what it came to.
func actOnCampaign(ctx context.Context, c *cli, path string, body []byte, done string) error {
	return withServer(ctx, c, func(api *controlClient) error {
		var status ledger.PlanStatus
		mediaType := ""
		if body != nil {
			mediaType = mediaTypeJSON
		}
		if err := api.api(ctx, http.MethodPost, path, mediaType, body, &status); err != nil {
			return err
		}
		if c.json {
			return printJSON(c.stdout, status)
		}
		_, err := fmt.Fprintf(c.stdout, "Plan %s %s.\n", status.ID, done)
		return err
	})
}

func statusCampaign(ctx context.Context, c *cli, args []string) error {
	id, err := oneID(args)
	if err != nil {
		return err
	}
	return withServer(ctx, c, func(api *controlClient) error {
		var s ledger.PlanStatus
		if err := api.api(ctx, http.MethodGet, campaignPath(id, ""), "", nil, &s); err != nil {
			return err
		}
		if c.json {
			return printJSON(c.stdout, s)
		}
		return printPlanStatus(c.stdout, &s)
	})
}

func printPlanStatus(w io.Writer, s *ledger.PlanStatus) error {
	fmt.Fprintf(w, "Plan %s of campaign %s is %s, mode %s\n", s.ID, s.CampaignID, s.Status, s.Mode)
	var parts []string
	for _, state := range plan.States() {
		parts = append(parts, fmt.Sprintf("%s %d", state, s.States[state]))
	}
	fmt.Fprintf(w, "  %d messages: %s\n", s.Messages, strings.Join(parts, ", "))
	printCounts(w, "rules", s.Rules)
	printCounts(w, "delivery", s.Delivery)
	if s.ApprovedBy != "" {
		fmt.Fprintf(w, "  approved   by %s at %s\n", s.ApprovedBy, s.ApprovedAt.Format(time.RFC3339))
	}
	_, err := fmt.Fprintf(w, "  hash       %s\n", s.Hash)
	return err
}

func explainCampaign(ctx context.Context, c *cli, args []string) error {
	if len(args) != 2 {
		return usagef("name a campaign or plan, and a customer: goodhour's id or your own key")
	}
	query := "explain?customer=" + url.QueryEscape(args[1])
	return withServer(ctx, c, func(api *controlClient) error {
		var out struct {
			Messages []ledger.MessageDetail `json:"messages"`
		}
		if err := api.api(ctx, http.MethodGet, campaignPath(args[0], query), "", nil, &out); err != nil {
			return err
		}
		if c.json {
			return printJSON(c.stdout, out.Messages)
		}
		for i := range out.Messages {
			printMessage(c.stdout, &out.Messages[i])
		}
		return nil
	})
}

// printMessage tells one message's life.
func printMessage(w io.Writer, m *ledger.MessageDetail) {
	fmt.Fprintf(w, "Message %s to customer %s: %s", m.ID, m.CustomerNow, m.StateNow)
	if m.RuleNow != "" {
		fmt.Fprintf(w, " by rule %s", m.RuleNow)
	}
	fmt.Fprintf(w, ", arm %s\n", m.Arm)
	if m.State == plan.Waiting {
		fmt.Fprintf(w, "  planned    for %s, %d o'clock in %s (%s)\n", m.SendAt.Format(time.RFC3339), m.SendHourLocal, m.TimeZone, m.HourReason)
	}
	for _, d := range m.Decisions {
		fmt.Fprintf(w, "  %s %s at %s", d.At.Format(time.RFC3339), d.Verdict, d.Stage)
		if d.Rule != "" {
			fmt.Fprintf(w, ": %s %s", d.Rule, d.Inputs)
		}
		fmt.Fprintln(w)
	}
	for _, a := range m.Attempts {
		fmt.Fprintf(w, "  %s attempt %s: %s %s %s\n", a.ClaimedAt.Format(time.RFC3339), a.ID, a.Outcome, a.ErrorClass, a.ErrorCode)
	}
	if m.Delivery != "" && m.Delivery != ledger.DeliveryNone {
		fmt.Fprintf(w, "  delivery   %s\n", m.Delivery)
	}
}
