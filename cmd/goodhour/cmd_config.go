package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/goccy/go-yaml"
)

// runConfig prints the configuration in force, or checks it.
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
		return checkConfig(c)
	default:
		return usagef("want show or check, got %q", args[0])
	}
}

// checkConfig checks what the other commands do not need: what is wrong with the
// values themselves was said before any command began.
func checkConfig(c *cli) error {
	problems := strayEnvironment(&c.cfg, os.Environ())
	for i := range c.cfg.Accounts {
		if _, err := c.cfg.Accounts[i].connect(c.env, c.log); err != nil {
			problems = append(problems, err)
		}
	}
	if _, err := openRules(&c.cfg); err != nil {
		problems = append(problems, err)
	}
	if len(problems) > 0 {
		return fmt.Errorf("the configuration has a problem:\n%w", errors.Join(problems...))
	}
	_, err := fmt.Fprintln(c.stdout, "The configuration is good.")
	return err
}
