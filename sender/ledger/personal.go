package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/sender/provider"
)

// This file is all that reads personal data: the tables of schema pii.

const (
	selectIdentifiers = `
select number, namespace, value
from pii.identifiers
where number in (select unnest(?::integer[]))`
	selectParameters = `
select message, parameters
from pii.parameters
where message in (select unnest(?::integer[]))`
	selectDroppable = `
select parameters.message, epoch_us(max(acted.acted_at))
from pii.parameters
left join (
    select message, settled_at as acted_at from settlements
    union all
    select message, decided_at as acted_at from decisions
) as acted on acted.message = parameters.message
group by parameters.message`
	deleteParameters = `delete from pii.parameters where message in (select unnest(?::integer[]))`
)

// identifier is an identity's value.
type identifier struct{ namespace, value string }

// subject is the identifier as an event's subject.
func (i identifier) subject() string { return i.namespace + ":" + i.value }

// identifiers reads the values of identities by their numbers. Who has none
// (never seen, or erased) is left out.
func (db *DB) identifiers(ctx context.Context, numbers []int32) (map[int32]identifier, error) {
	out := make(map[int32]identifier, len(numbers))
	if len(numbers) == 0 {
		return out, nil
	}
	rows, err := db.sql.QueryContext(ctx, selectIdentifiers, numbers)
	if err != nil {
		return nil, fmt.Errorf("read the identifiers of %d identities: %w", len(numbers), err)
	}
	defer rows.Close()
	for rows.Next() {
		var n int32
		var i identifier
		if err := rows.Scan(&n, &i.namespace, &i.value); err != nil {
			return nil, fmt.Errorf("read the identifiers of %d identities: %w", len(numbers), err)
		}
		out[n] = i
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the identifiers of %d identities: %w", len(numbers), err)
	}
	return out, nil
}

// Address returns what a message to an identity is addressed to, or
// ErrNoAddress. For many, Addresses is faster.
func (db *DB) Address(ctx context.Context, to identity.ID) (provider.Address, error) {
	found, err := db.Addresses(ctx, []identity.ID{to})
	if err != nil {
		return provider.Address{}, err
	}
	address, ok := found[to]
	if !ok {
		return provider.Address{}, fmt.Errorf("identity %s: %w", to, ErrNoAddress)
	}
	return address, nil
}

// Addresses is Address for many, with one query. Those that have none are left
// out.
func (db *DB) Addresses(ctx context.Context, to []identity.ID) (map[identity.ID]provider.Address, error) {
	ids := make(map[int32]identity.ID, len(to))
	numbers := make([]int32, 0, len(to))
	db.mu.RLock()
	for _, id := range to {
		if n, known := db.state.people.graph.Number(id); known {
			ids[n] = id
			numbers = append(numbers, n)
		}
	}
	db.mu.RUnlock()
	values, err := db.identifiers(ctx, numbers)
	if err != nil {
		return nil, err
	}
	out := make(map[identity.ID]provider.Address, len(values))
	for n, i := range values {
		switch i.namespace {
		case identity.NamespacePhone:
			out[ids[n]] = provider.Address{Phone: i.value}
		case identity.NamespaceBSUID:
			out[ids[n]] = provider.Address{BSUID: i.value}
		}
	}
	return out, nil
}

// Parameters returns the frozen parameters of messages. A message without any,
// or whose parameters were dropped, is left out.
func (db *DB) Parameters(ctx context.Context, messageIDs []string) (map[string]map[string]string, error) {
	ids := make(map[int32]string, len(messageIDs))
	numbers := make([]int32, 0, len(messageIDs))
	db.mu.RLock()
	for _, id := range messageIDs {
		if n, known := db.state.find(id); known {
			ids[n] = id
			numbers = append(numbers, n)
		}
	}
	db.mu.RUnlock()
	out := make(map[string]map[string]string, len(numbers))
	if len(numbers) == 0 {
		return out, nil
	}
	rows, err := db.sql.QueryContext(ctx, selectParameters, numbers)
	if err != nil {
		return nil, fmt.Errorf("read the parameters of %d messages: %w", len(numbers), err)
	}
	defer rows.Close()
	for rows.Next() {
		var n int32
		var text string
		var values map[string]string
		if err := rows.Scan(&n, &text); err != nil {
			return nil, fmt.Errorf("read the parameters of %d messages: %w", len(numbers), err)
		}
		if err := json.Unmarshal([]byte(text), &values); err != nil {
			return nil, fmt.Errorf("read the parameters of message %s: they are not what was stored", ids[n])
		}
		out[ids[n]] = values
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the parameters of %d messages: %w", len(numbers), err)
	}
	return out, nil
}

// DropParameters removes the parameters of messages that were settled before an
// instant, and says of how many. DuckDB's file gives the bytes up at later
// checkpoints.
func (db *DB) DropParameters(ctx context.Context, settledBefore time.Time) (int, error) {
	db.writing.Lock()
	defer db.writing.Unlock()
	if db.closed {
		return 0, errClosed
	}
	done, err := db.droppable(ctx, micros(settledBefore))
	if err != nil {
		return 0, fmt.Errorf("look for parameters to drop: %w", err)
	}
	if len(done) == 0 {
		return 0, nil
	}
	err = db.change(ctx, func(tx *transaction) error { return tx.exec(deleteParameters, done) }, func(*state) {})
	if err != nil {
		return 0, fmt.Errorf("drop the parameters of %d messages: %w", len(done), err)
	}
	return len(done), nil
}

// droppable are the messages with parameters that were settled before an instant.
func (db *DB) droppable(ctx context.Context, before int64) (done []int32, err error) {
	rows, err := db.sql.QueryContext(ctx, selectDroppable)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var n int32
		var at *int64
		if err := rows.Scan(&n, &at); err != nil {
			return nil, err
		}
		m := &db.state.messages[n]
		settled := m.claimedAt
		if at != nil {
			settled = max(settled, *at)
		}
		if m.state.name().Final() && settled < before {
			done = append(done, n)
		}
	}
	return done, rows.Err()
}
