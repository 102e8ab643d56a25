package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goodhour/goodhour/sender/ledger"
)

// campaignVerb is one thing that can be done with campaigns.
type campaignVerb struct {
	name, args, does string
	run              func(ctx context.Context, c *cli, args []string) error
}

func campaignVerbs() []campaignVerb {
	return []campaignVerb{
		{"create", "FILE", "keep a campaign's file, YAML or JSON; a later one of its id takes its place", createCampaign},
		{"list", "", "the campaigns and their plans, the newest first", listCampaigns},
		{"plan", "ID", "freeze who gets what and when into a plan, and report it; nothing is sent", planCampaign},
		{"report", "ID", "that report again", reportCampaign},
		{"approve", "ID --hash HASH", "let exactly the plan of that hash be sent; its report names the hash", approveCampaign},
		{"status", "ID", "how far it is, and what was not sent by which rule", statusCampaign},
		{"explain", "ID CUSTOMER", "what was decided and tried for one customer: your own key, or goodhour's id", explainCampaign},
		{"pause", "ID | --all", "hold it, or everything, at the next message", pauseCampaign},
		{"resume", "ID", "go on", resumeCampaign},
		{"cancel", "ID", "end it for good: what waits is never sent", cancelCampaign},
		{"resolve", "ID MESSAGE STATE", "say of an unknown message what the provider knows: accepted or failed", resolveCampaign},
	}
}

func campaignVerbNames() []string {
	verbs := campaignVerbs()
	names := make([]string, len(verbs))
	for i := range verbs {
		names[i] = verbs[i].name
	}
	return names
}

func campaignHelp() string {
	var b strings.Builder
	b.WriteString("\n")
	for _, v := range campaignVerbs() {
		fmt.Fprintf(&b, "  %-8s %-16s %s\n", v.name, v.args, v.does)
	}
	b.WriteString("\nID is a campaign's or a plan's; a campaign's means its newest plan. The commands ask the\n" +
		"running goodhour serve, which alone sends; without one they work on the data directory.\n" +
		"With --json they print the API's own answer.\n")
	return b.String()
}

func runCampaign(ctx context.Context, c *cli, args []string) error {
	names := strings.Join(campaignVerbNames(), ", ")
	if len(args) == 0 {
		return usagef("want one of %s", names)
	}
	verbs := campaignVerbs()
	at := slices.IndexFunc(verbs, func(v campaignVerb) bool { return v.name == args[0] })
	if at < 0 {
		return usagef("there is no %q: want one of %s", args[0], names)
	}
	return verbs[at].run(ctx, c, args[1:])
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
	if len(args) != 1 || args[0] == "" {
		return "", usagef("name one campaign, or one plan; goodhour campaign list shows them")
	}
	return args[0], nil
}

// askCampaign asks one route and shows the answer.
func askCampaign[T any](ctx context.Context, c *cli, method, path string, body []byte, write func(io.Writer, *T) error) error {
	mediaType := ""
	if body != nil {
		mediaType = mediaTypeJSON
	}
	return withServer(ctx, c, func(api *controlClient) error {
		answer, err := api.answer(ctx, method, path, mediaType, body)
		if err != nil {
			return err
		}
		return show(c, answer, write)
	})
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
		answer, err := api.answer(ctx, http.MethodPost, "/v1/campaigns", mediaType, file)
		if err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		return show(c, answer, func(w io.Writer, stored *ledger.StoredCampaign) error {
			_, err := fmt.Fprintf(w, "Campaign %s is kept. Nothing is planned yet:\n  goodhour campaign plan %s\n", stored.ID, stored.ID)
			return err
		})
	})
}

func listCampaigns(ctx context.Context, c *cli, args []string) error {
	if len(args) > 0 {
		return usagef("unexpected argument %q", args[0])
	}
	return askCampaign(ctx, c, http.MethodGet, "/v1/campaigns", nil, printCampaigns)
}

func planCampaign(ctx context.Context, c *cli, args []string) error {
	id, err := oneID(args)
	if err != nil {
		return err
	}
	return askCampaign(ctx, c, http.MethodPost, campaignPath(id, "plan"), nil, printReport)
}

func reportCampaign(ctx context.Context, c *cli, args []string) error {
	id, err := oneID(args)
	if err != nil {
		return err
	}
	return askCampaign(ctx, c, http.MethodGet, campaignPath(id, "report"), nil, printReport)
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
	return actOnCampaign(ctx, c, id, "approve", body, "is approved; goodhour serve sends it as it comes due")
}

func pauseCampaign(ctx context.Context, c *cli, args []string) error {
	flags := newFlags(c, "campaign pause")
	all := flags.Bool("all", false, "hold everything at the next message")
	rest, err := parseMixed(flags, args)
	if err != nil {
		return err
	}
	if *all {
		if len(rest) > 0 {
			return usagef("--all takes no campaign")
		}
		return askCampaign(ctx, c, http.MethodPost, "/v1/campaigns/pause-all", nil, printPaused)
	}
	id, err := oneID(rest)
	if err != nil {
		return err
	}
	return actOnCampaign(ctx, c, id, "pause", nil, "is paused; goodhour campaign resume lets it go on")
}

func resumeCampaign(ctx context.Context, c *cli, args []string) error {
	id, err := oneID(args)
	if err != nil {
		return err
	}
	return actOnCampaign(ctx, c, id, "resume", nil, "goes on")
}

func cancelCampaign(ctx context.Context, c *cli, args []string) error {
	id, err := oneID(args)
	if err != nil {
		return err
	}
	return actOnCampaign(ctx, c, id, "cancel", nil, "is cancelled; what was accepted before stays accepted")
}

func resolveCampaign(ctx context.Context, c *cli, args []string) error {
	if len(args) != 3 || args[2] != string(ledger.Accepted) && args[2] != string(ledger.Failed) {
		return usagef("name a campaign or plan, a message that is unknown, and accepted or failed")
	}
	body, err := json.Marshal(map[string]string{"message_id": args[1], "state": args[2]})
	if err != nil {
		return fmt.Errorf("write the resolution: %w", err)
	}
	return actOnCampaign(ctx, c, args[0], "resolve", body, "has it: message "+args[1]+" is "+args[2]+", and is not sent again")
}

// actOnCampaign posts a decision and says what it came to.
func actOnCampaign(ctx context.Context, c *cli, id, verb string, body []byte, done string) error {
	return askCampaign(ctx, c, http.MethodPost, campaignPath(id, verb), body, func(w io.Writer, s *ledger.PlanStatus) error {
		_, err := fmt.Fprintf(w, "Plan %s %s.\n", s.ID, done)
		return err
	})
}

func statusCampaign(ctx context.Context, c *cli, args []string) error {
	id, err := oneID(args)
	if err != nil {
		return err
	}
	return askCampaign(ctx, c, http.MethodGet, campaignPath(id, ""), nil, printPlanStatus)
}

func explainCampaign(ctx context.Context, c *cli, args []string) error {
	if len(args) != 2 {
		return usagef("name a campaign or plan, and a customer: your own key, or goodhour's id")
	}
	query := "explain?customer=" + url.QueryEscape(args[1])
	return askCampaign(ctx, c, http.MethodGet, campaignPath(args[0], query), nil, printMessages)
}
