package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/goodhour/goodhour/ingest/identity"
)

// openKeyer reads the installation's identity key. It makes one only in a data
// directory without a warehouse: another key beside old data would give every
// customer a second id.
func openKeyer(cfg *Config) (*identity.Keyer, error) {
	name := cfg.identityKeyFile()
	b, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		if _, statErr := os.Stat(warehousePath(cfg)); statErr == nil {
			return nil, fmt.Errorf("the identity key %s is missing beside an existing warehouse; put it back from your backup, "+
				"or start with an empty data directory and replay the topics", name)
		}
		return makeKey(name)
	}
	if err != nil {
		return nil, fmt.Errorf("read the identity key: %w", err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(b)))
	if err != nil {
		return nil, fmt.Errorf("the identity key %s is not hexadecimal; put it back from your backup", name)
	}
	keyer, err := identity.NewKeyer(key)
	if err != nil {
		return nil, fmt.Errorf("the identity key %s: %w", name, err)
	}
	return keyer, nil
}

func makeKey(name string) (*identity.Keyer, error) {
	key := make([]byte, identity.MinKeyBytes)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("make an identity key: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return nil, fmt.Errorf("make an identity key: %w", err)
	}
	if err := writeFileAtomic(name, []byte(hex.EncodeToString(key)+"\n")); err != nil {
		return nil, fmt.Errorf("write the identity key: %w", err)
	}
	return identity.NewKeyer(key)
}

func warehousePath(cfg *Config) string {
	return filepath.Join(cfg.Data, "live", "warehouse.duckdb")
}
