package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// The README's commands for a first campaign are those of a script, in its
// order; so they work.
func TestTheReadmesCampaignIsTheScripts(t *testing.T) {
	t.Parallel()
	_, section, found := strings.Cut(readText(t, "../../README.md"), "\n## Send a campaign\n")
	if !found {
		t.Fatal("the README has no section Send a campaign")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	script := strings.Split(readText(t, "../../testdata/script/campaign.txtar"), "\n")
	commands := 0
	for i, block := range strings.Split(section, "```") {
		block, isShell := strings.CutPrefix(block, "sh\n")
		if i%2 == 0 || !isShell {
			continue
		}
		for line := range strings.Lines(block) {
			command, _, _ := strings.Cut(line, " # ")
			command = "exec " + strings.TrimPrefix(strings.TrimSpace(command), "bin/")
			command = strings.ReplaceAll(command, "HASH", "$HASH")
			at := slices.IndexFunc(script, func(line string) bool { return strings.HasPrefix(line, command) })
			if at < 0 {
				t.Fatalf("campaign.txtar does not go on with %q", command)
			}
			script = script[at+1:]
			commands++
		}
	}
	if commands < 10 {
		t.Errorf("%d commands in the section: they should lead to a message", commands)
	}
}

func readText(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The Chinese README's commands are the README's.
func TestTheReadmesAgree(t *testing.T) {
	t.Parallel()
	english := readBlocks(t, "../../README.md")
	for _, block := range readBlocks(t, "../../README.zh-CN.md") {
		if !slices.Contains(english, block) {
			t.Errorf("the README does not have this block of README.zh-CN.md:\n%s", block.text)
		}
	}
}
