package main

import (
	"context"
	_ "embed" // starting.yaml
	"errors"
	"fmt"
	"os"

	"github.com/goccy/go-yaml"
)

// startingConfig is what config init writes: every setting with its meaning,
// commented out with its default.
//
//go:embed starting.yaml
var startingConfig string

// runConfig writes a configuration to start from, prints the one in force, or
// checks it.
func runConfig(ctx context.Context, c *cli, args []string) error {
	switch {
	case len(args) == 1 && args[0] == "show":
		b, err := yaml.Marshal(c.cfg)
		if err != nil {
			return fmt.Errorf("print the configuration: %w", err)
		}
		_, err = c.stdout.Write(b)
		return err
	case len(args) == 1 && args[0] == "check":
		return checkConfig(ctx, c)
	case len(args) >= 1 && len(args) <= 2 && args[0] == "init":
		return initConfig(c, append(args[1:], defaultConfigFile)[0])
	}
	return usagef("want init, init FILE, show or check")
}

// initConfig writes the starting file, never over another.
func initConfig(c *cli, name string) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644) //nolint:gosec // the file holds no secret
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s is there already: name another, as in goodhour config init other.yaml", name)
	}
	if err != nil {
		return fmt.Errorf("write a configuration to start from: %w", err)
	}
	_, err = f.WriteString(startingConfig)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write a configuration to start from: %w", err)
	}
	_, err = fmt.Fprintf(c.stdout, "Wrote %s: every setting with its default. goodhour config check says what is wrong with it, goodhour doctor tries it.\n", name)
	return err
}

// checkConfig checks what the other commands do not need: what is wrong with the
// values themselves was said before any command began.
func checkConfig(ctx context.Context, c *cli) error {
	problems := strayEnvironment(&c.cfg, os.Environ())
	for i := range c.cfg.Accounts {
		if _, err := c.cfg.Accounts[i].connect(c.env, c.log); err != nil {
			problems = append(problems, err)
		}
	}
	if _, err := openRules(&c.cfg); err != nil {
		problems = append(problems, err)
	}
	problems = append(problems, checkSources(ctx, c)...)
	if len(problems) > 0 {
		return fmt.Errorf("the configuration has a problem:\n%w", errors.Join(problems...))
	}
	_, err := fmt.Fprintln(c.stdout, "The configuration is good.")
	return err
}
