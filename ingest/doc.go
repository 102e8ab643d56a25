// Package ingest is the road between the topics and whoever keeps what they
// say: it reads Kafka into a Loader, and publishes events and dead letters.
//
// # The guarantee
//
// Every record that the cluster holds committed is loaded once: it changes the
// loader's tables exactly as often as if it had been read once, whatever
// crashes when. The position of each partition lies in the loader's own file
// and moves in the transaction that holds the rows, by compare-and-set, so a
// loader that another one overtook writes nothing. Records of aborted
// transactions and control markers never become rows. A record that cannot be
// decoded becomes a dead letter with its bytes, in the same transaction, and
// the rest goes on. A log that is no longer the one that was being read (a gap,
// a cut-off end, a topic made anew, another cluster) stops its partition, with
// an error that says what happened, until an operator accepts it by name; it
// is never skipped silently. An event that was published twice is the loader's
// to recognise, by its source and id.
//
//	what dies                                   what is left
//	before Load commits                         nothing; the records are fetched again
//	after Load commits, before we hear of it    the rows and the position; Positions says so, and the records are not fetched again
//	between a batch decoded and handed over     nothing of it; fetched again
//	while a group offset is mirrored            nothing is read from there; the next round writes it
//	between an operator's Accept and its answer the decision, or nothing; the partition says which
//	the broker, after it acknowledged           the record: acks=all, and the embedded broker syncs each write
//	the broker, before it acknowledged          perhaps the record; the producer writes it again, and loading recognises it
//	between writing a dead letter and marking it  it is on the topic twice, with the same coordinates
//
// What it does not do: it is one process for all partitions (the loader's file
// has one writer anyway), it takes no part in group rebalancing, and it does not
// notice a log that was cut off by an unclean leader election and has grown past
// the position again before it was looked at.
//
// # The way
//
//	broker ──► fetcher (one a leader) ──► assembler ──► Loader
//	           one request at a time      decodes       one transaction a batch
//
// While one batch loads, the next is decoded, and the answer after that is on
// its way. A slow loader holds the assembler up, and that the fetchers: the
// memory is two batches and two answers a broker. A session ([Consumer.Run]
// makes one after the other) begins with the positions that the loader has and
// ends at any doubt, so nothing has to be undone.
//
// SQL, tables and models are not here: Loader's signatures use leaf types only.
package ingest
