package main

import (
	"regexp"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptCommands are what the scripts in testdata/script have beside
// testscript's own.
func scriptCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){"await": awaitOutput, "remember": rememberOutput}
}

const (
	awaitMost  = 60 * time.Second
	awaitPause = 100 * time.Millisecond
)

// awaitOutput runs a command until its output matches:
//
//	await PATTERN COMMAND ARGS...
func awaitOutput(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: await PATTERN COMMAND ARGS...")
	}
	pattern := scriptPattern(ts, args[0])
	ticker := time.NewTicker(awaitPause)
	defer ticker.Stop()
	deadline := time.After(awaitMost)
	for {
		err := ts.Exec(args[1], args[2:]...)
		if err == nil && pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
		select {
		case <-ticker.C:
		case <-deadline:
			ts.Fatalf("%s did not print %q within %s: %v\n%s", args[1], args[0], awaitMost, err, ts.ReadFile("stderr"))
		}
	}
}

// rememberOutput keeps what a group of a pattern matched in the last output:
//
//	remember NAME PATTERN
func rememberOutput(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: remember NAME PATTERN")
	}
	found := scriptPattern(ts, args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) != 2 {
		ts.Fatalf("want one group of %q in the output", args[1])
	}
	ts.Setenv(args[0], found[1])
}

func scriptPattern(ts *testscript.TestScript, text string) *regexp.Regexp {
	pattern, err := regexp.Compile("(?m)" + text)
	ts.Check(err)
	return pattern
}
