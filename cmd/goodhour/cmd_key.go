package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/goodhour/goodhour/api"
)

func keysPath(cfg *Config) string { return filepath.Join(cfg.Data, "keys.json") }

// runKey works on the key file itself: a running serve sees the change at once.
func runKey(_ context.Context, c *cli, args []string) error {
	if len(args) == 0 {
		return usagef("want create, list or revoke")
	}
	keys, err := api.OpenKeys(keysPath(&c.cfg), c.now)
	if err != nil {
		return err
	}
	switch args[0] {
	case "create":
		return createKey(c, keys, args[1:])
	case "list":
		if len(args) > 1 {
			return usagef("unexpected argument %q", args[1])
		}
		return listKeys(c, keys)
	case "revoke":
		if len(args) != 2 {
			return usagef("want one ID as key list shows it")
		}
		key, err := keys.Revoke(args[1])
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.stdout, "Revoked %s (%s).\n", key.ID, key.Name)
		return err
	default:
		return usagef("want create, list or revoke, got %q", args[0])
	}
}

// scopeNames lists the scopes as the help shows them.
func scopeNames() string {
	var names []string
	for _, s := range api.Scopes() {
		names = append(names, string(s))
	}
	return strings.Join(names, ", ")
}

func createKey(c *cli, keys *api.Keys, args []string) error {
	flags := newFlags(c, "key create")
	scopeList := flags.String("scopes", "read", "comma-separated `SCOPES`: "+scopeNames())
	days := flags.Int("days", 0, "the key expires after this many `DAYS` (default: never)")
	rest, err := parseMixed(flags, args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return usagef("give the key a name that says who or what uses it")
	}
	scopes, err := api.ParseScopes(*scopeList)
	if err != nil {
		return usageError{err.Error()}
	}
	var expires time.Time
	if *days > 0 {
		expires = c.now().Add(time.Duration(*days) * 24 * time.Hour)
	}
	key, token, err := keys.Create(rest[0], scopes, expires, operatorName())
	if err != nil {
		return err
	}
	if c.json {
		return printJSON(c.stdout, struct {
			api.Key
			Token string `json:"token"`
		}{key, token.Reveal()})
	}
	fmt.Fprintf(c.stderr, "Key %s. This is its only showing:\n", key.ID)
	_, err = fmt.Fprintln(c.stdout, token.Reveal())
	return err
}

func listKeys(c *cli, keys *api.Keys) error {
	list, err := keys.List()
	if err != nil {
		return err
	}
	if c.json {
		return printJSON(c.stdout, list)
	}
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tNAME\tSCOPES\tCREATED\tSTATE")
	for _, k := range list {
		state := "in force"
		switch {
		case k.RevokedAt != nil:
			state = "revoked " + k.RevokedAt.Format(time.DateOnly)
		case k.ExpiresAt != nil:
			state = "until " + k.ExpiresAt.Format(time.DateOnly)
		}
		scopes := make([]string, len(k.Scopes))
		for i, s := range k.Scopes {
			scopes[i] = string(s)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", k.ID, k.Name, strings.Join(scopes, ","), k.CreatedAt.Format(time.DateOnly), state)
	}
	return w.Flush()
}
