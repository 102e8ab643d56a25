package fileimport_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/fileimport"
)

func amounts(t *testing.T, events []event.Event) []any {
	t.Helper()
	var list []any
	for _, e := range events {
		list = append(list, data(t, e)["amount"])
	}
	return list
}

func TestNegativeAndZeroAmounts(t *testing.T) {
	t.Parallel()
	got := mustRun(t, usd(), "amounts_negative_zero.csv")
	wantRejected(t, got,
		"line 6: amount has more than 4 decimals: round it in a select",
		"line 7: amount is not a number",
		"line 8: amount is empty",
		"line 9: amount is too large",
	)
	if got.EventsByType["commerce.order.refunded.v1"] != 2 || got.EventsByType["commerce.order.completed.v1"] != 2 {
		t.Errorf("events by type %v", got.EventsByType)
	}
	if got.Money[0].Refunded != "15.50" || got.Money[0].Amount != "10.50" {
		t.Errorf("money %+v", got.Money[0])
	}
	wantText(t, strings.Join(got.Warnings, "\n"), "1 amounts in USD are zero")
	if got.Notes[0].Reason != "negative amount: taken as a refund" || got.Notes[0].Rows != 2 {
		t.Errorf("notes %+v", got.Notes)
	}

	o := usd()
	o.Columns = map[string]string{"order_id": fileimport.NoColumn}
	got = mustRun(t, o, "amounts_negative_zero.csv")
	wantText(t, strings.Join(got.rejected(), "\n"), "line 3: amount is negative and there is no order id")
}

func TestRefundsOfOneOrderStayApart(t *testing.T) {
	t.Parallel()
	got := mustRun(t, usd(), "refunds.csv")
	wantRejected(t, got,
		"line 6: the amount of an order is negative",
		"line 7: type is neither an order nor a refund: map it in a select",
	)
	if got.Money[0].Refunds != 3 || got.Money[0].Refunded != "10.00" || got.Good != 4 {
		t.Errorf("money %+v, good %d", got.Money[0], got.Good)
	}
	for _, e := range got.events {
		if data(t, e)["order_id"] != "R1" {
			t.Errorf("order id is %v", data(t, e)["order_id"])
		}
	}
}

func TestCurrencies(t *testing.T) {
	t.Parallel()
	got := mustRun(t, fileimport.Options{Kind: fileimport.Orders}, "amounts_currencies.csv")
	wantRejected(t, got,
		"line 4: the amount's sign is of another currency",
		"line 6: currency is not a code of ISO 4217",
		"line 7: currency is empty",
	)
	var currencies []string
	for _, m := range got.Money {
		currencies = append(currencies, m.Currency+" "+m.Amount)
	}
	if diff := cmp.Diff([]string{"BRL 70.00", "EUR 20.00", "USD 50.50"}, currencies); diff != "" {
		t.Error(diff)
	}
	wantText(t, strings.Join(got.Warnings, "\n"), "in 3 currencies")
}

func TestCurrencyMayStandBesideTheAmount(t *testing.T) {
	t.Parallel()
	got := mustRun(t, fileimport.Options{Kind: fileimport.Orders}, "amounts_named.csv")
	if diff := cmp.Diff([]any{"10.50", "1020.00", "30.25"}, amounts(t, got.events)); diff != "" || got.Money[0].Currency != "BRL" {
		t.Error(diff, got.Money)
	}
	wantText(t, refusal(t, fileimport.Options{Kind: fileimport.Orders}, "amounts_negative_zero.csv"),
		"no currency", "--currency COLUMN", "--value currency=USD")
}

func TestAmountsThatReadInTwoWays(t *testing.T) {
	t.Parallel()
	text := refusal(t, usd(), "amounts_ambiguous.csv")
	wantText(t, text, "amounts read in two ways", "line 2", "--decimal point or --decimal comma")
	if strings.Contains(text, "1,234") {
		t.Errorf("a value is quoted: %s", text)
	}
	wantText(t, refusal(t, usd(), "amounts_disagree.csv"), "amounts do not agree", "line 2", "line 3")

	o := usd()
	o.Decimal = "point"
	if got := mustRun(t, o, "amounts_ambiguous.csv"); got.Money[0].Amount != "3734.00" {
		t.Errorf("with a point: %s", got.Money[0].Amount)
	}
	o.Decimal = "comma"
	if got := mustRun(t, o, "amounts_ambiguous.csv"); got.Money[0].Amount != "503.234" {
		t.Errorf("with a comma: %s", got.Money[0].Amount)
	}
	wantRejected(t, mustRun(t, o, "amounts_disagree.csv"), "line 2: amount is not a number")
}

func TestThousandsAreReadWhereTheColumnAgrees(t *testing.T) {
	t.Parallel()
	got := mustRun(t, usd(), "amounts_grouped.csv")
	if diff := cmp.Diff([]any{"1234.50", "12000.00", "1200000.25", "1234.50"}, amounts(t, got.events)); diff != "" {
		t.Error(diff)
	}
	wantRejected(t, got, "line 6: amount is not a number")
}

func TestDatesThatReadInTwoWays(t *testing.T) {
	t.Parallel()
	wantText(t, refusal(t, usd(), "dates_ambiguous.csv"), "dates read in two ways", "line 2", "--time-format", "%d/%m/%Y")
	wantText(t, refusal(t, usd(), "dates_disagree.csv"), "dates do not agree", "line 2", "line 3")

	o := usd()
	o.TimeFormat = "%m/%d/%Y"
	if got := mustRun(t, o, "dates_ambiguous.csv"); got.First.Format("2006-01-02") != "2025-03-04" {
		t.Errorf("month first: %v", got.First)
	}
	got := mustRun(t, usd(), "dates_day_first.csv")
	if got.First.Format("2006-01-02 15:04") != "2025-04-03 10:30" {
		t.Errorf("day first by the other rows: %v", got.First)
	}
	wantRejected(t, got, "line 4: time is a day that does not exist")
	wantText(t, strings.Join(got.Readings, "\n"), "dates with the day first")
}

func TestFormsOfTime(t *testing.T) {
	t.Parallel()
	o := usd()
	o.TimeZone = location(t, "America/Sao_Paulo")
	got := mustRun(t, o, "dates_forms.csv")
	var times []string
	for _, e := range got.events {
		times = append(times, e.Time.Format("2006-01-02T15:04:05.999999Z07:00"))
	}
	want := []string{
		"2025-03-01T03:00:00Z", "2025-03-01T13:20:00Z", "2025-03-01T10:20:30.123456Z", "2025-03-01T15:20:30Z",
		"2025-03-01T03:00:00Z", "2025-03-01T10:20:30Z", "2025-03-01T03:00:00Z", "2025-03-01T16:05:00Z",
		"2025-03-01T10:20:30Z", "2025-03-01T03:00:00Z",
	}
	if diff := cmp.Diff(want, times[:10]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	wantRejected(t, got,
		"line 12: time is a day that does not exist",
		"line 13: time is before 1971, the first year of an event",
		"line 14: time is not understood: if it is written in another way, say --time-format",
		"line 15: time lies more than 24 hours after the import",
		"line 16: time is not understood: if it is written in another way, say --time-format",
		"line 17: time is empty",
	)
	wantText(t, strings.Join(got.Readings, "\n"), "times without a zone as America/Sao_Paulo")
	wantText(t, strings.Join(got.Warnings, "\n"), "before the year 2000")
}

func TestIdentifiersThatAreNotUsable(t *testing.T) {
	t.Parallel()
	got := mustRun(t, fileimport.Options{Kind: fileimport.Customers, PhoneRegion: "br"}, "customers.csv")
	wantRejected(t, got,
		"line 5: no usable identifier: none of customer, phone and email is understood",
		"line 6: no identifier: customer, phone and email are empty",
	)
	notes := map[fileimport.Reason]int64{}
	for _, n := range got.Notes {
		notes[n.Reason] = n.Rows
	}
	want := map[fileimport.Reason]int64{
		"phone is not understood": 1, "email is not an address": 1, "customer_time_zone is not an IANA name": 1,
		"country is not a code of two letters": 1, "language is not a BCP 47 tag": 1,
	}
	if diff := cmp.Diff(want, notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	first := map[string]any{
		"phone": "+5511999990001", "email": "ana@example.com", "name": "Ana Souza", "time_zone": "America/Sao_Paulo",
		"country": "BR", "language": "pt-BR", "tags": []any{"vip", "spring"},
	}
	if diff := cmp.Diff(first, data(t, got.events[0])); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.Reach.KeyOnly != 1 || got.Reach.WithPhone != 2 {
		t.Errorf("reach %+v", got.Reach)
	}

	got = mustRun(t, fileimport.Options{Kind: fileimport.Customers}, "customers.csv")
	if got.Notes[0].Reason != "phone has no + and country code: write it so, or say --phone-region" {
		t.Errorf("notes %+v", got.Notes)
	}
}

func TestKeysThatArePersonalData(t *testing.T) {
	t.Parallel()
	got := mustRun(t, usd(), "keys.csv")
	var subjects []string
	for _, e := range got.events {
		subjects = append(subjects, e.Subject)
	}
	if diff := cmp.Diff([]string{"email:ana@example.com", "phone:+5511999990001", "external:customer:c-3"}, subjects); diff != "" {
		t.Error(diff)
	}
	wantRejected(t, got, "line 5: no usable identifier: none of customer, phone and email is understood")

	o := usd()
	o.KeyNamespace = "external:shop"
	if got := mustRun(t, o, "keys.csv"); got.events[2].Subject != "external:shop:c-3" {
		t.Errorf("subject %s", got.events[2].Subject)
	}
	o.KeyNamespace = "shop"
	wantText(t, refusal(t, o, "keys.csv"), "key namespace")
}

func TestConsents(t *testing.T) {
	t.Parallel()
	o := fileimport.Options{Kind: fileimport.Consents, Values: map[string]string{"category": "marketing"}}
	got := mustRun(t, o, "consents.csv")
	wantRejected(t, got,
		"line 6: state is empty",
		"line 7: state is neither a yes nor a no that is understood: map it in a select",
	)
	var states []any
	for _, e := range got.events {
		d := data(t, e)
		states = append(states, d["state"])
		if d["source"] != "import" || d["category"] != "marketing" {
			t.Errorf("data %v", d)
		}
	}
	if diff := cmp.Diff([]any{"opted_in", "opted_out", "opted_in", "opted_out", "opted_out"}, states); diff != "" {
		t.Error(diff)
	}

	got = mustRun(t, fileimport.Options{Kind: fileimport.Consents}, "consents_unsubscribed.csv")
	if data(t, got.events[0])["state"] != "opted_out" || data(t, got.events[1])["state"] != "opted_in" {
		t.Errorf("unsubscribed = true is an opt-out: %s %s", got.events[0].Data, got.events[1].Data)
	}
	wantText(t, refusal(t, fileimport.Options{Kind: fileimport.Consents}, "consents.csv"), "no column for category", "--category COLUMN")
}

func TestMessagesWithATimeForEachStatus(t *testing.T) {
	t.Parallel()
	got := mustRun(t, fileimport.Options{Kind: fileimport.Messages, Source: "crm", Columns: map[string]string{"text": "reply_text"}}, "messages_times.csv")
	wantRejected(t, got, "line 4: none of the message's times is there")
	want := []string{
		"message:crm:wamid.A1:sent", "message:crm:wamid.A1:delivered", "message:crm:wamid.A1:read", "message:crm:wamid.A1:received",
		"message:crm:wamid.A2:sent", "message:crm:wamid.A2:failed",
	}
	if diff := cmp.Diff(want, ids(got.events)); diff != "" {
		t.Error(diff)
	}
	reply := map[string]any{
		"phone": "+5511999990001", "provider_message_id": "message:crm:wamid.A1:received", "provider": "meta", "number_id": "10001",
		"in_reply_to": "wamid.A1", "kind": "text", "text": "I want one",
	}
	if diff := cmp.Diff(reply, data(t, got.events[3])); diff != "" {
		t.Error(diff)
	}

	o := fileimport.Options{Kind: fileimport.Messages, Source: "crm", Columns: map[string]string{"provider_message_id": fileimport.NoColumn}}
	got = mustRun(t, o, "messages_times.csv")
	sent, read := data(t, got.events[0])["provider_message_id"], data(t, got.events[2])["provider_message_id"]
	if sent != read || sent == "" || data(t, got.events[3])["in_reply_to"] != sent {
		t.Errorf("events of one row do not belong together: %v, %v", sent, read)
	}
}

func TestMessagesWithARowForEachStatus(t *testing.T) {
	t.Parallel()
	o := fileimport.Options{
		Kind: fileimport.Messages, TimeFormat: "unix", Columns: map[string]string{"text": "text"},
		Values: map[string]string{"provider": "meta", "number_id": "10001"},
	}
	got := mustRun(t, o, "messages_status.csv")
	wantRejected(t, got,
		"line 6: status is not sent, delivered, read, failed or received: map it in a select",
		"line 7: same id as an earlier row, other content: sum the lines of one order in a select; first at line 3",
	)
	want := []string{"message:messages:wamid.B1:sent", "message:messages:wamid.B1:delivered", "message:messages:wamid.B1:read", "message:messages:wamid.B2:received"}
	if diff := cmp.Diff(want, ids(got.events)); diff != "" {
		t.Error(diff)
	}
	o.Columns = map[string]string{"provider_message_id": fileimport.NoColumn}
	wantText(t, refusal(t, o, "messages_status.csv"), "--provider-message-id COLUMN")
}
