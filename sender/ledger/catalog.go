package ledger

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/goodhour/goodhour/sender/template"
)

const selectCampaigns = `
select id, arg_max(campaign, rowid), arg_max(author, rowid), arg_max(created_at, rowid)
from campaigns
group by id
order by max(rowid) desc`

// SaveCampaign stores a campaign as its author gave it. The newest of an id
// counts.
func (db *DB) SaveCampaign(ctx context.Context, c StoredCampaign) error {
	db.writing.Lock()
	defer db.writing.Unlock()
	err := db.change(ctx, func(tx *transaction) error {
		return tx.appendRows(schemaMain, "campaigns", 1, func(int) []driver.Value {
			return []driver.Value{c.ID, string(c.Campaign), c.Author, timestamp(c.CreatedAt)}
		})
	}, func(*state) {})
	if err != nil {
		return fmt.Errorf("save campaign %s: %w", c.ID, err)
	}
	return nil
}

// Campaigns returns the campaigns, the newest first.
func (db *DB) Campaigns(ctx context.Context) ([]StoredCampaign, error) {
	rows, err := db.sql.QueryContext(ctx, selectCampaigns)
	if err != nil {
		return nil, fmt.Errorf("read the campaigns: %w", err)
	}
	defer rows.Close()
	var out []StoredCampaign
	for rows.Next() {
		var c StoredCampaign
		var text string
		if err := rows.Scan(&c.ID, &text, &c.Author, &c.CreatedAt); err != nil {
			return nil, fmt.Errorf("read the campaigns: %w", err)
		}
		c.Campaign = json.RawMessage(text)
		out = append(out, c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the campaigns: %w", err)
	}
	return out, nil
}

// SaveTemplates stores all templates of an account as the provider has them at
// an instant. What an earlier list had and this one has not is gone.
func (db *DB) SaveTemplates(ctx context.Context, account string, list []template.Template, at time.Time) error {
	db.writing.Lock()
	defer db.writing.Unlock()
	before := db.state.templates[account]
	text, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("save %d templates of account %s: %w", len(list), account, err)
	}
	old, err := json.Marshal(before.list)
	if err != nil {
		return fmt.Errorf("save %d templates of account %s: %w", len(list), account, err)
	}
	var value driver.Value // null: as before
	if before.at.IsZero() || string(text) != string(old) {
		value = string(text)
	}
	now := before.synced(at)
	if value != nil {
		now = before.listed(slices.Clone(list), at)
	}
	err = db.change(ctx, func(tx *transaction) error {
		return tx.appendRows(schemaMain, "templates", 1, func(int) []driver.Value {
			return []driver.Value{account, timestamp(at), value}
		})
	}, func(s *state) {
		s.templates[account] = now
	})
	if err != nil {
		return fmt.Errorf("save %d templates of account %s: %w", len(list), account, err)
	}
	return nil
}

// Templates returns an account's templates and when they were synced; the zero
// time means never. What it returns must not be changed.
func (db *DB) Templates(account string) (list []template.Template, syncedAt time.Time) {
	db.mu.RLock()
	defer db.mu.RUnlock()
	synced := db.state.templates[account]
	return synced.list, synced.at
}

// Template returns one of an account's templates. It must not be changed.
func (db *DB) Template(account, name, language string) (*template.Template, bool) {
	list, _ := db.Templates(account)
	for i := range list {
		if list[i].Name == name && list[i].Language == language {
			return &list[i], true
		}
	}
	return nil, false
}

// TemplateSince returns since when every listing of an account has said of a
// template's content what the newest says, or that there is none; the zero time
// means that the account was never synced.
func (db *DB) TemplateSince(account, name, language string) time.Time {
	db.mu.RLock()
	defer db.mu.RUnlock()
	synced := db.state.templates[account]
	if seen, known := synced.seen[templateName{name, language}]; known {
		return seen.since
	}
	return synced.first
}

// syncedTemplates are an account's templates as they were last.
type syncedTemplates struct {
	list      []template.Template
	first, at time.Time // of all its listings; of the newest
	// seen are all templates that a listing ever had. The map is not changed.
	seen map[templateName]sighting
}

type templateName struct{ name, language string }

// sighting is what listings say of a template: its content, empty where it is
// missing, and since when all say so.
type sighting struct {
	bodyHash string
	since    time.Time
}

// synced is what is known after a listing that says what the one before said.
func (t syncedTemplates) synced(at time.Time) syncedTemplates {
	t.at = at.UTC()
	if t.first.IsZero() {
		t.first = t.at
	}
	return t
}

// listed is what is known after a listing.
func (t syncedTemplates) listed(list []template.Template, at time.Time) syncedTemplates {
	before := t.seen
	t = t.synced(at)
	t.list, t.seen = list, make(map[templateName]sighting, len(list))
	see := func(name templateName, bodyHash string) {
		seen, known := before[name]
		if !known || seen.bodyHash != bodyHash {
			seen = sighting{bodyHash, t.at}
		}
		t.seen[name] = seen
	}
	for name := range before {
		see(name, "")
	}
	for i := range list {
		see(templateName{list[i].Name, list[i].Language}, list[i].BodyHash())
	}
	return t
}
