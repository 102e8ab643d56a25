//go:build kafka && cdnow

package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/goodhour/goodhour/ingest/fileimport"
	"github.com/goodhour/goodhour/ingest/kafkatest"
	"github.com/goodhour/goodhour/warehouse"
)

// TestCDNOWKafka imports CDNOW's orders through a real Apache Kafka, twice:
// the published figures come out, and the second import changes nothing.
func TestCDNOWKafka(t *testing.T) {
	kafka := kafkatest.Start(t, kafkatest.Options{})
	shop := newInstallation(t, kafka.Brokers())
	ctx := deadline(t, 5*time.Minute)

	importCDNOW(ctx, t, shop)
	first := shop.hashes(ctx, t)
	importCDNOW(ctx, t, shop)
	if second := shop.hashes(ctx, t); !maps.Equal(first, second) {
		t.Errorf("the second import changed tables: %v, then %v", first, second)
	}

	const figures = `
		with days as (
			select identity_id, ce_time::date as day, sum(amount) as amount
			from raw.order_completed
			group by all
		), customers as (
			select identity_id, count(*) as days from days group by all
		)
		select unnest([
			(select count(*) from raw.order_completed)::varchar,
			(select count(*) from customers)::varchar,
			(select count(*) from days)::varchar,
			(select sum(amount)::decimal(18, 2) from days)::varchar,
			(select count(*) from customers where days = 1)::varchar
		])`
	got := shop.query(ctx, t, figures)
	want := []string{"69659", "23570", "67591", "2500315.63", "12054"}
	for i, name := range []string{"orders", "customers", "customer-days", "revenue", "customers with one purchase day"} {
		if got[i] != want[i] {
			t.Errorf("%s: %s, published %s", name, got[i], want[i])
		}
	}
}

func importCDNOW(ctx context.Context, t *testing.T, shop *installation) {
	t.Helper()
	out := shop.run(ctx, t, "import", "orders", "../../testdata/cdnow/CDNOW_master.txt",
		"--source", "cdnow", "--time-format", "%Y%m%d", "--amount", "dollar_value", "--value", "currency=USD", "--json")
	var report fileimport.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if report.Rows != 69_659 || report.Good != 69_659 || report.Published != 69_659 || report.Reach.Customers != 23_570 {
		t.Errorf("report: %+v", report)
	}
}

// query returns the texts of a select's one column.
func (i *installation) query(ctx context.Context, t *testing.T, query string) (out []string) {
	t.Helper()
	c := i.cli()
	db, err := warehouse.Open(ctx, warehouse.Options{Path: warehousePath(&c.cfg), Now: c.now, Logger: c.log})
	if err != nil {
		t.Fatal(err)
	}
	err = db.View(ctx, func(conn *sql.Conn) (err error) {
		out, err = textColumn(ctx, conn, query)
		return err
	})
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return out
}
