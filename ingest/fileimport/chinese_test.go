package fileimport_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/goodhour/goodhour/ingest/fileimport"
)

const chineseOrders = "订单号,会员号,手机号,下单时间,订单金额（元）,实付金额（元）,币种\n" +
	"A1,m1,13800138000,2026年3月1日 10:30,￥１，２３４．５０,￥1200.00,人民币\n" +
	"A2,m2,,2026/3/2,20.00,20.00元,CNY\n"

func TestChineseHeadings(t *testing.T) {
	t.Parallel()
	o := orders()
	o.PhoneRegion = "CN"
	got := mustRun(t, o, writeFile(t, "utf8.csv", chineseOrders))
	var columns []string
	for _, m := range got.Mapping {
		columns = append(columns, m.Field+"="+m.Column)
	}
	// What was paid goes before what was asked.
	want := []string{"customer=会员号", "phone=手机号", "order_id=订单号", "time=下单时间", "amount=实付金额（元）", "currency=币种"}
	if diff := cmp.Diff(want, columns); diff != "" {
		t.Error(diff)
	}
	if m := got.Money[0]; m.Currency != "CNY" || m.Orders != 2 || m.Amount != "1220.00" || got.Reach.WithPhone != 1 {
		t.Errorf("money %+v, reach %+v", m, got.Reach)
	}
	if e := got.events[0]; e.Time.Format("2006-01-02 15:04") != "2026-03-01 10:30" {
		t.Errorf("time %s", e.Time)
	}

	gbk, err := simplifiedchinese.GBK.NewEncoder().String(chineseOrders)
	if err != nil {
		t.Fatal(err)
	}
	same := mustRun(t, o, writeFile(t, "gbk.csv", gbk))
	if diff := cmp.Diff(got.events, same.events); diff != "" || same.Files[0].Encoding != "gb18030 (known by the headings)" {
		t.Errorf("GBK reads otherwise, as %s:\n%s", same.Files[0].Encoding, diff)
	}
}

func TestSpreadsheetDays(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "serial.csv", "customer,order_id,date,amount,currency\nc1,1,46082.4375,5.00,EUR\nc2,2,46082,6.00,EUR\n")
	wantText(t, refusal(t, orders(), file), "times are numbers (as in line 2)", "--time-format excel")
	o := orders()
	o.TimeFormat = "excel"
	got := mustRun(t, o, file)
	if a, b := got.events[0].Time, got.events[1].Time; a.Format("2006-01-02 15:04:05.000") != "2026-03-01 10:30:00.000" || b.Format("2006-01-02 15:04") != "2026-03-01 00:00" {
		t.Errorf("times %s, %s", a, b)
	}
}

func TestNotOrdersIsOneSentence(t *testing.T) {
	t.Parallel()
	got := refusal(t, orders(), writeFile(t, "songs.csv", "artist,title\nA,B\n"))
	want := `this does not look like a file of orders: none of its headings ("artist", "title") is a time or an amount; if it is one, name its columns ` +
		"with --customer COLUMN --time COLUMN --amount COLUMN, or say --no-header if there are no headings, --skip-lines N if they stand further down"
	wantText(t, got, want)
	o := fileimport.Options{Kind: fileimport.Customers}
	wantText(t, refusal(t, o, writeFile(t, "songs.csv", "artist,title\nA,B\n")), "--customer")
}
