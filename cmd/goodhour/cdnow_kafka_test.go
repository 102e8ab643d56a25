//go:build kafka && cdnow

package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
	shop.run(ctx, t, "publish", "--as-of", "1998-06-30")
	compareExports(ctx, t, shop)
}

// compareExports asks the API for the customers of every value segment as CSV
// and as Parquet: the same rows, under the file's own customer ids.
func compareExports(ctx context.Context, t *testing.T, shop *installation) {
	t.Helper()
	a, err := openApp(ctx, shop.cli())
	if err != nil {
		t.Fatal(err)
	}
	server, err := a.api()
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server.Handler())
	dir := t.TempDir()
	for _, label := range []string{"low", "mid", "high", "unknown"} {
		for _, format := range []string{"csv", "parquet"} {
			download(ctx, t, web.URL+"/v1/segments/value:"+label+"/customers?format="+format, filepath.Join(dir, label+"."+format))
		}
	}
	web.Close()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}

	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const compared = `
		with csv as (
			select external_id, value_segment, frequency_segment, heat_class, order_count, spend_amount,
				recency_score, frequency_score, monetary_score
			from read_csv(getvariable('dir') || '/*.csv', all_varchar = true)
		), parquet as (
			select external_id, value_segment, frequency_segment, heat_class, order_count::varchar, spend_amount::varchar,
				recency_score::varchar, frequency_score::varchar, monetary_score::varchar
			from read_parquet(getvariable('dir') || '/*.parquet')
		), file as (
			select distinct string_split(trim(line), ' ')[1] as customer_id
			from (select unnest(string_split(content, chr(10))) as line from read_text('../../testdata/cdnow/CDNOW_master.txt'))
		)
		select unnest([
			(select count(*) from csv)::varchar,
			(select count(*) from parquet)::varchar,
			(select count(*) from (from csv except all from parquet))::varchar,
			(select count(*) from (from parquet except all from csv))::varchar,
			(select count(*) from parquet semi join file on parquet.external_id = file.customer_id)::varchar,
			(select count(distinct recency_score || frequency_score || monetary_score) > 50 from csv)::varchar
		])`
	if _, err := conn.ExecContext(ctx, "set variable dir = ?", dir); err != nil {
		t.Fatal(err)
	}
	got, err := textColumn(ctx, conn, compared)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"23570", "23570", "0", "0", "23570", "true"}, got); diff != "" {
		t.Errorf("rows in CSV, in Parquet, only in one, only in the other, with the file's own ids, many RFM cells (-want +got):\n%s", diff)
	}
}

func download(ctx context.Context, t *testing.T, url, file string) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v: %.300s", url, res.Status, err, b)
	}
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
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
