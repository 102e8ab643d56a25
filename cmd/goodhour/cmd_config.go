package main

import (
	"context"
	"fmt"

	"github.com/goccy/go-yaml"
)

// runConfig prints the configuration in force. Problems were reported before
// the command began, so check only has to say that there are none.
func runConfig(_ context.Context, c *cli, args []string) error {
	if len(args) != 1 {
		return usagef("want show or check")
	}
	switch args[0] {
	case "show":
		b, err := yaml.Marshal(c.cfg)
		if err != nil {
			return fmt.Errorf("print the configuration: %w", err)
		}
		_, err = c.stdout.Write(b)
		return err
	case "check":
		_, err := fmt.Fprintln(c.stdout, "The configuration is good.")
		return err
	default:
		return usagef("want show or check, got %q", args[0])
	}
}
