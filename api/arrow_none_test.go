//go:build !duckdb_arrow

package api

import "testing"

func readArrow(t *testing.T, _ []byte) ([]string, [][]string) {
	t.Helper()
	t.Fatal("there is no Arrow in this build")
	return nil, nil
}
