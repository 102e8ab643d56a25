package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/goodhour/goodhour/sender"
)

// killHook is for the tests that end the process at a named point of sending:
// GOODHOUR_TEST_KILL=after_response:3 ends it with SIGKILL at the third passage.
// Without the variable there is no hook.
func killHook(env func(string) (string, bool)) func(sender.KillPoint) {
	text, ok := env("GOODHOUR_TEST_KILL")
	if !ok {
		return nil
	}
	point, ordinal, _ := strings.Cut(text, ":")
	at, err := strconv.ParseInt(ordinal, 10, 64)
	if err != nil {
		at = 1
	}
	var passed atomic.Int64
	return func(reached sender.KillPoint) {
		if string(reached) != point || passed.Add(1) != at {
			return
		}
		fmt.Fprintf(os.Stderr, "killed at %s\n", text)
		if self, err := os.FindProcess(os.Getpid()); err == nil {
			_ = self.Kill() // nothing after this line runs
		}
		select {}
	}
}
