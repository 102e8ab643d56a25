//go:build duckdb_arrow

package api

// arrowBuilt tells whether this binary can write Arrow.
const arrowBuilt = true
