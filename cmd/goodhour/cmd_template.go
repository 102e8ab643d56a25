package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/policy"
)

const templateHelp = `
  sync ACCOUNT   ask the provider for the account's templates now; serve asks by itself too
  list ACCOUNT   those of the last sync, with the parameters that a campaign has to map
`

func runTemplate(ctx context.Context, c *cli, args []string) error {
	if len(args) != 2 || args[0] != "sync" && args[0] != "list" {
		return usagef("want sync ACCOUNT or list ACCOUNT")
	}
	account := args[1]
	return withServer(ctx, c, func(api *controlClient) error {
		if args[0] == "sync" {
			body, err := json.Marshal(map[string]string{"account": account})
			if err != nil {
				return fmt.Errorf("write the request: %w", err)
			}
			if _, err := api.answer(ctx, http.MethodPost, "/v1/templates/sync", mediaTypeJSON, body); err != nil {
				return err
			}
		}
		answer, err := api.answer(ctx, http.MethodGet, "/v1/templates?account="+url.QueryEscape(account), "", nil)
		if err != nil {
			return err
		}
		return show(c, answer, printTemplates)
	})
}

// templateList is the API's answer to GET /v1/templates, as far as it is printed.
type templateList struct {
	Account   string     `json:"account"`
	SyncedAt  *time.Time `json:"synced_at"` // nil: never
	Templates []struct {
		Name       string                `json:"name"`
		Language   string                `json:"language"`
		Category   plan.Category         `json:"category"`
		Status     policy.TemplateStatus `json:"status"`
		Parameters []struct {
			Name string `json:"name"`
		} `json:"parameters"`
		Unsupported string `json:"unsupported"`
	} `json:"templates"`
}

func printTemplates(out io.Writer, list *templateList) error {
	if list.SyncedAt == nil {
		_, err := fmt.Fprintf(out, "The templates of %s were never asked for: goodhour template sync %s\n", list.Account, list.Account)
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TEMPLATE\tLANGUAGE\tCATEGORY\tSTATUS\tPARAMETERS")
	for i := range list.Templates {
		t := &list.Templates[i]
		var names []string
		for _, p := range t.Parameters {
			names = append(names, p.Name)
		}
		parameters := strings.Join(names, ", ")
		if t.Unsupported != "" {
			parameters = "cannot be sent: " + t.Unsupported
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", t.Name, t.Language, t.Category, t.Status, parameters)
	}
	return w.Flush()
}
