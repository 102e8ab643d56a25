package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"

	"github.com/goodhour/goodhour/sender/template"
)

func runTemplate(ctx context.Context, c *cli, args []string) error {
	if len(args) != 2 || args[0] != "sync" && args[0] != "list" {
		return usagef("want sync ACCOUNT or list ACCOUNT")
	}
	return withServer(ctx, c, func(api *controlClient) error {
		if args[0] == "sync" {
			body, err := json.Marshal(map[string]string{"account": args[1]})
			if err != nil {
				return fmt.Errorf("write the request: %w", err)
			}
			if err := api.api(ctx, http.MethodPost, "/v1/templates/sync", mediaTypeJSON, body, nil); err != nil {
				return err
			}
		}
		return listTemplates(ctx, c, api, args[1])
	})
}

func listTemplates(ctx context.Context, c *cli, api *controlClient, account string) error {
	var out struct {
		Templates []template.Template `json:"templates"`
	}
	if err := api.api(ctx, http.MethodGet, "/v1/templates?account="+url.QueryEscape(account), "", nil, &out); err != nil {
		return err
	}
	if c.json {
		return printJSON(c.stdout, out.Templates)
	}
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TEMPLATE\tLANGUAGE\tCATEGORY\tSTATUS\tPARAMETERS")
	for i := range out.Templates {
		t := &out.Templates[i]
		var names []string
		for _, p := range t.Parameters() {
			names = append(names, p.Name)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", t.Name, t.Language, t.Category, t.Status, strings.Join(names, ", "))
	}
	return w.Flush()
}
