package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/goodhour/goodhour/sender/plan"
)

// A data directory belongs to one world: what a sandbox's invented customers
// did must never be taken for real, nor written to.
const (
	worldDemo    = "demo"
	worldSandbox = "sandbox"
	worldReal    = "real"
)

func worldPath(cfg *Config) string { return filepath.Join(cfg.Data, "world") }

// world is the world of the configured accounts; empty without any.
func (c *Config) world() string {
	for i := range c.Accounts {
		switch {
		case c.demo:
			return worldDemo
		case c.Accounts[i].Mode == string(plan.Sandbox):
			return worldSandbox
		default:
			return worldReal
		}
	}
	return ""
}

// claimWorld marks the data directory with the accounts' world, and refuses
// accounts of another. It returns the mark.
func claimWorld(cfg *Config) (string, error) {
	b, err := os.ReadFile(worldPath(cfg))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read whose world the data directory is of: %w", err)
	}
	marked, want := strings.TrimSpace(string(b)), cfg.world()
	switch {
	case want == "" || want == marked:
		return marked, nil
	case marked != "":
		return marked, fmt.Errorf("the data directory %s holds the %s world and the configured accounts are of the %s one, which must not be mixed: name another directory with --data",
			cfg.Data, marked, want)
	}
	return want, writeFileAtomic(worldPath(cfg), []byte(want+"\n"))
}
