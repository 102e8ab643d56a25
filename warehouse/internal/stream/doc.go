// Package stream runs SQL on a DuckDB instance and hands the result over chunk
// by chunk, below database/sql: the driver first gathers every result in
// memory that DuckDB's memory limit does not count and cannot spill, so one
// careless select could take the whole process down. Here a result of any size
// needs a few chunks.
//
// What the limit does not count even so: the scratch space of texts and lists
// while a chunk of 2,048 rows is worked on. A query that makes texts of a
// megabyte each needs 2 GB a thread.
//
// An [Instance], its [Conn] and their [Rows] belong to one goroutine at a time.
package stream
