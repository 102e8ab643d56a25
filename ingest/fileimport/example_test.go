package fileimport_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/fileimport"
)

// A file of orders, its columns guessed, its times in the shop's zone.
func ExampleRun() {
	publish := func(_ context.Context, events []event.Event) error {
		for _, e := range events {
			fmt.Println(e.ID, e.Time.Format(time.RFC3339))
		}
		return nil
	}
	report, err := fileimport.Run(context.Background(), []string{"../../testdata/import/conflicts.csv"}, fileimport.Options{
		Kind:     fileimport.Orders,
		Source:   "shop",
		Values:   map[string]string{"currency": "EUR"},
		TimeZone: time.FixedZone("CET", 3600),
		Now:      time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC),
	}, publish)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := report.Write(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// order:shop:K1 2025-02-28T23:00:00Z
	// order:shop:K2 2025-02-28T23:00:00Z
	// orders, source import:shop
	//   file       ../../testdata/import/conflicts.csv: 4 columns by comma, utf-8
	//   columns    customer = "customer" (guessed)
	//              order_id = "order_id" (guessed)
	//              time = "date" (guessed)
	//              amount = "amount" (guessed)
	//              currency = EUR for every row
	//   read       amounts with a decimal point
	//   read       times without a zone as CET (5 rows)
	//   rows       5: 2 good, 2 rejected, 1 said again (same id and content)
	//   events     2 published
	//   span       2025-02-28 23:00:00 to 2025-02-28 23:00:00 UTC
	//   amounts    EUR 30.00 in 2 orders, median 15.00
	//   rejected   2: same id as an earlier row, other content: sum the lines of one order in a select
	//              ../../testdata/import/conflicts.csv line 4, 6: same id as an earlier row, other content: sum the lines of one order in a select; first at line 2
	//   customers  2: 0 with a phone number; not reachable by these files alone: 2 with a key only
}
