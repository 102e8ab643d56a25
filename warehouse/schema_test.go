package warehouse_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/warehouse/warehousetest"
)

var sqlTypes = map[event.ColumnType]string{
	event.Text: "VARCHAR", event.JSON: "JSON", event.Int: "BIGINT", event.Float: "DOUBLE",
	event.Bool: "BOOLEAN", event.Decimal: "DECIMAL(18,4)", event.Timestamp: "TIMESTAMP",
}

// The migrations, in SQL, and the specs, in Go, say the same of every table of events.
func TestTablesAreThoseOfTheSpecs(t *testing.T) {
	t.Parallel()
	want := map[string][]string{}
	for _, kind := range event.Kinds() {
		spec := kind.Spec()
		attributes := []string{"ce_source VARCHAR", "ce_id VARCHAR", "ce_time TIMESTAMP", "identity_id UUID"}
		raw, pii := append([]string{}, attributes...), append([]string{}, attributes...)
		for _, c := range spec.Columns {
			column := c.Name + " " + sqlTypes[c.Type]
			if c.Personal {
				pii = append(pii, column)
			} else {
				raw = append(raw, column)
			}
		}
		want["raw."+spec.Table] = append(raw, "topic VARCHAR", "partition INTEGER", "offset BIGINT", "received_at TIMESTAMP")
		want["pii."+spec.Table] = append(pii, event.ExtraColumn+" JSON")
	}

	got := map[string][]string{}
	for _, row := range warehousetest.Query(t, warehousetest.New(t), `
		select schema_name || '.' || table_name, column_name, data_type
		from duckdb_columns()
		where schema_name in ('raw', 'pii')
		order by column_index`) {
		got[row[0]] = append(got[row[0]], row[1]+" "+row[2])
	}
	for _, other := range []string{
		"raw.identities", "raw.identity_links", "raw.identity_unlinks", "pii.identifiers", "pii.dead_letters",
	} {
		if len(got[other]) == 0 {
			t.Errorf("no table %s", other)
		}
		delete(got, other)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Results must not depend on a session's time zone.
func TestNoColumnHasATimeZone(t *testing.T) {
	t.Parallel()
	got := warehousetest.Query(t, warehousetest.New(t),
		"select table_name, column_name from duckdb_columns() where schema_name in ('raw', 'pii', 'ops') and data_type like '%ZONE%'")
	if len(got) > 0 {
		t.Errorf("got %v", got)
	}
}

func TestSettingsOfAnOpenWarehouse(t *testing.T) {
	t.Parallel()
	got := warehousetest.Query(t, warehousetest.New(t), `
		select name || '=' || value
		from duckdb_settings()
		where name in ('memory_limit', 'TimeZone', 'autoinstall_known_extensions', 'autoload_known_extensions', 'wal_autocheckpoint')
		order by name`)
	want := "TimeZone=UTC autoinstall_known_extensions=false autoload_known_extensions=false memory_limit=1.0 GiB wal_autocheckpoint=244.1 MiB"
	if text := strings.Trim(strings.ReplaceAll(fmt.Sprint(got), "] [", " "), "[]"); text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
}
