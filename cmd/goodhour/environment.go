package main

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

const environmentPrefix = "GOODHOUR_"

// environmentName is the variable that sets a setting.
func environmentName(key string) string {
	return environmentPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// notOurs are variables of that prefix which others set: the tests, and
// Kubernetes for each service beside a service called goodhour.
var notOurs = regexp.MustCompile(`^GOODHOUR_(TEST_|SERVICE_(HOST|PORT)|PORT($|_))`)

// strayEnvironment tells of variables that look like settings and set nothing:
// a misspelt one would otherwise be passed over in silence. environ is
// os.Environ's.
func strayEnvironment(cfg *Config, environ []string) []error {
	var known []string
	for _, f := range settableFields(reflect.ValueOf(cfg).Elem(), "") {
		known = append(known, environmentName(f.key))
	}
	for i := range cfg.Accounts {
		known = append(known, cfg.Accounts[i].secretNames()...)
	}
	var out []error
	for _, variable := range environ {
		name, _, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, environmentPrefix) || notOurs.MatchString(name) || slices.Contains(known, name) {
			continue
		}
		out = append(out, fmt.Errorf("environment %s: sets nothing; is %s meant? Correct it, or unset it", name, nearest(name, known)))
	}
	return out
}

// nearest is the known name that begins most like the given one.
func nearest(name string, known []string) string {
	return slices.MaxFunc(known, func(a, b string) int { return sharedPrefix(a, name) - sharedPrefix(b, name) })
}

func sharedPrefix(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}
