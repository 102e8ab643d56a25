// Package bulk writes many rows into DuckDB, column by column, below
// database/sql: the driver's own Appender takes one boxed value at a time and
// reaches half the speed.
//
// It is the only code of the warehouse that uses unsafe. Three things make it
// sound: the type of every column is compared with the table's before a byte
// is written; texts are validated as UTF-8 as DuckDB itself would do; and the
// Go memory that a chunk points into is pinned until DuckDB has copied it.
//
// A [Conn] belongs to one goroutine at a time.
package bulk
