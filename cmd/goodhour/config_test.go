package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What config init writes is true: each setting is there, with its default.
func TestTheStartingFileHasEverySettingWithItsDefault(t *testing.T) {
	t.Parallel()
	uncommented := regexp.MustCompile(`(?m)^( *)#([a-z])`).ReplaceAllString(startingConfig, "$1$2")
	// Accounts and sources have no default: their lines are examples.
	begin, end := strings.Index(uncommented, "accounts:\n"), strings.Index(uncommented, "\n# What sending may use")
	if begin < 0 || end < begin {
		t.Fatal("the example of an account is not found")
	}
	example := regexp.MustCompile(`(?m)^#(  )`).ReplaceAllString(uncommented[begin:end], "$1")
	name := filepath.Join(t.TempDir(), "goodhour.yaml")
	if err := os.WriteFile(name, []byte(uncommented[:begin]+uncommented[end:]), 0o600); err != nil {
		t.Fatal(err)
	}
	nothing := func(string) (string, bool) { return "", false }
	cfg := defaultConfig()
	cfg.origin = make(configOrigin)
	if problems := cfg.readFile(name, true); len(problems) > 0 {
		t.Fatal(problems)
	}
	got, err := loadConfig(name, nothing, nil)
	if err != nil {
		t.Fatal(err)
	}
	text := func(c Config) (lines []string) {
		for _, f := range settableFields(reflect.ValueOf(&c).Elem(), "") {
			if f.value.Kind() != reflect.Slice && f.value.Kind() != reflect.Map {
				lines = append(lines, f.key+"="+fmt.Sprint(f.value.Interface()))
			}
		}
		return lines
	}
	if diff := cmp.Diff(text(defaultConfig()), text(got)); diff != "" {
		t.Errorf("the starting file changes defaults:\n%s", diff)
	}
	for _, f := range settableFields(reflect.ValueOf(&cfg).Elem(), "") {
		if _, given := cfg.origin[f.key]; !given && f.key != "accounts" && f.key != "sources" && f.key != "kafka.sasl.password" {
			t.Errorf("%s is not in the starting file", f.key)
		}
	}

	if err := os.WriteFile(name, []byte(example), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err = loadConfig(name, nothing, nil); err != nil || len(got.Accounts) != 1 || got.Accounts[0].Numbers[0] != "106540352242922" || len(got.Sources) != 1 {
		t.Errorf("the examples are read as %+v, %+v: %v", got.Accounts, got.Sources, err)
	}
}
