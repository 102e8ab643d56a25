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
	err = db.change(ctx, func(tx *transaction) error {
		return tx.appendRows(schemaMain, "templates", 1, func(int) []driver.Value {
			return []driver.Value{account, timestamp(at), value}
		})
	}, func(s *state) {
		s.templates[account] = syncedTemplates{list: slices.Clone(list), at: at.UTC()}
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
