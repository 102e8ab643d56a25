// Package broker is the embedded broker: the Kafka protocol in this process
// (franz-go's kfake), on loopback only, with its data in a directory and every
// write synced before it is acknowledged. It is what goodhour runs on when no
// broker is configured, an evaluation default: one node, no replication, no
// limit on who connects from this machine.
//
// After kill -9 every acknowledged record is there. It never deletes records
// on its own: kfake's own cleaner deletes what nobody has read yet, so it is
// off, and ApplyRetention is called by who knows what has been loaded.
package broker
