package fileimport_test

import (
	"github.com/goodhour/goodhour/ingest/fileimport"
)

// oddValues are odd in what their rows say.
func oddValues() []oddFile {
	bare := func(rows string) string { return "customer,date,amount,currency\n" + rows }
	return []oddFile{
		{
			name: "negative amounts", text: oddGood + "1,c1,2026-03-05,-4.00,EUR\n",
			want: "2 orders EUR 30.00, 1 refunds 4.00, 2 customers, 2026-03-01T00:00 to 2026-03-05T00:00",
		},
		{
			name: "negative amounts without an order", text: bare("c1,2026-03-01,10.00,EUR\nc1,2026-03-02,-4.00,EUR\n"),
			want: "1 orders EUR 10.00, 1 customers, 2026-03-01T00:00 to 2026-03-01T00:00; line 3: amount is negative and there is no order id: whose money went back is not known",
		},
		{
			name: "parentheses", text: oddGood + "1,c1,2026-03-05,(4.00),EUR\n",
			want: "2 orders EUR 30.00, 1 refunds 4.00, 2 customers, 2026-03-01T00:00 to 2026-03-05T00:00",
		},
		{
			name: "zero", text: oddHead + "1,c1,2026-03-01,0.00,EUR\n" + oddTwo,
			want: "2 orders EUR 20.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00",
		},
		{
			name: "several currencies", text: oddGood + "3,c3,2026-03-03,3000,JPY\n4,c4,2026-03-04,4.00,XXQ\n",
			want: "2 orders EUR 30.00, 1 orders JPY 3000.00, 3 customers, 2026-03-01T00:00 to 2026-03-03T00:00; line 5: currency is not a code of ISO 4217",
		},
		{
			name: "signs beside amounts", text: "order_id,customer,date,amount\n1,c1,2026-03-01,€10.00\n2,c2,2026-03-02,£ 20.00\n",
			want: "refused: no currency (the amounts have €, £, which does not say it for every row): name its column with --currency COLUMN, or give every row one with --value currency=USD",
		},
		{
			name: "a sign of many currencies", text: "order_id,customer,date,amount\n1,c1,2026-03-01,$10.00\n2,c2,2026-03-02,$20.00\n",
			want: "refused: no currency (the amounts have $, which does not say it for every row): name its column with --currency COLUMN, or give every row one with --value currency=USD",
		},
		{
			name: "a sign against the currency", text: oddGood + "3,c3,2026-03-03,$30.00,EUR\n",
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00; line 4: the amount's sign is of another currency",
		},
		{
			name: "no currency at all", text: "order_id,customer,date,amount\n1,c1,2026-03-01,10.00\n",
			want: "refused: no currency: name its column with --currency COLUMN, or give every row one with --value currency=USD",
		},
		{
			name: "decimal commas and thousands", text: "order_id;customer;date;amount;currency\n1;c1;2026-03-01;1.234,50;EUR\n2;c2;2026-03-02;20,00;EUR\n",
			want: "2 orders EUR 1254.50, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00",
		},
		{
			name: "thousands or decimals", text: "order_id;customer;date;amount;currency\n1;c1;2026-03-01;1.234;EUR\n2;c2;2026-03-02;2.345;EUR\n",
			want: "refused: amounts read in two ways: with a decimal point the sign before three digits (as in line 2) separates thousands or decimals, with a decimal comma the other way round: say --decimal point or --decimal comma",
		},
		{
			name: "points and commas", text: "order_id;customer;date;amount;currency\n1;c1;2026-03-01;1,5;EUR\n2;c2;2026-03-02;2.5;EUR\n",
			want: "refused: amounts do not agree: line 3 reads only with a decimal point, line 2 only with a decimal comma: say --decimal point or --decimal comma, and the others are rejected",
		},
		{
			name: "scientific notation", text: oddGood + "3,c3,2026-03-03,3E+1,EUR\n",
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00; line 4: amount is not a number",
		},
		{
			name: "a key cut short by a spreadsheet", text: oddGood + "3,1.2E+12,2026-03-03,30.00,EUR\n",
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00; line 4: no usable identifier: none of customer, phone and email is understood",
		},
		{
			name: "digits of other scripts", text: oddHead + "1,c1,２０２６-０３-０１,１０．００,EUR\n2,c2,٢٠٢٦-٠٣-٠٢,٢٠٫٠٠,EUR\n",
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00",
		},
		{
			name: "amounts in words", text: oddGood + "3,c3,2026-03-03,ten,EUR\n4,c4,2026-03-03,,EUR\n5,c5,2026-03-03,#N/A,EUR\n",
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00; line 4: amount is not a number; line 5: amount is empty; line 6: amount is not a number",
		},
		{
			name: "an amount too large, one too fine", text: oddGood + "3,c3,2026-03-03,123456789012345.00,EUR\n4,c4,2026-03-03,0.00001,EUR\n",
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00; line 4: amount is too large; line 5: amount has more than 4 decimals: round it in a select",
		},
		{
			name: "totals at the end", text: oddGood + "Total,,,30.00,EUR\n",
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00; line 4: no identifier: customer, phone and email are empty",
		},
		{
			name: "totals at the end, in the customer's column", text: bare("c1,2026-03-01,10.00,EUR\nTotal,,10.00,EUR\n"),
			want: "1 orders EUR 10.00, 1 customers, 2026-03-01T00:00 to 2026-03-01T00:00; line 3: time is empty",
		},
		{
			name: "emoji", text: oddHead + "1,🎉c1🎉,2026-03-01,10.00,EUR\n" + oddTwo,
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00",
		},
		{
			name: "formulas", text: oddHead + "1,=1+1,2026-03-01,10.00,EUR\n2,\"=HYPERLINK(\"\"http://x\"\")\",2026-03-02,20.00,EUR\n",
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00",
		},
		{
			name: "SQL", text: oddHead + "1,'; drop table staged; --,2026-03-01,10.00,EUR\n" + oddTwo,
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00",
		},
		{
			name: "repeated rows with an id", text: oddGood + oddOne,
			want: "2 orders EUR 30.00, 2 customers, 1 said again, 2026-03-01T00:00 to 2026-03-02T00:00",
		},
		{
			name: "repeated rows without an id", text: bare("c1,2026-03-01,10.00,EUR\nc1,2026-03-01,10.00,EUR\n"),
			want: "2 orders EUR 20.00, 1 customers, 2026-03-01T00:00 to 2026-03-01T00:00",
		},
		{
			name: "an id with other content", text: oddGood + "1,c1,2026-03-01,11.00,EUR\n",
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00; line 4: same id as an earlier row, other content: sum the lines of one order in a select; first at line 2",
		},
		{
			name: "an order without its id", text: oddGood + ",c3,2026-03-03,30.00,EUR\n",
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00; line 4: order id is empty",
		},
		{
			name: "nobody", text: oddGood + "3,,2026-03-03,30.00,EUR\n",
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00; line 4: no identifier: customer, phone and email are empty",
		},
		{
			name: "future dates", text: oddGood + "3,c3,2027-03-03,30.00,EUR\n",
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00; line 4: time lies more than 24 hours after the import",
		},
		{
			name: "dates before there were shops", text: oddGood + "3,c3,1900-01-00,30.00,EUR\n4,c4,1899-12-30,30.00,EUR\n5,c5,0000-00-00,30.00,EUR\n",
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00; line 4: time is before 1971, the first year of an event; line 5: time is before 1971, the first year of an event; line 6: time is before 1971, the first year of an event",
		},
		{
			name: "days that do not exist", text: oddGood + "3,c3,2026-02-30,30.00,EUR\n4,c4,2025-02-29,30.00,EUR\n",
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00; line 4: time is a day that does not exist; line 5: time is a day that does not exist",
		},
		{
			name: "two years of nothing", text: oddHead + wholeDays(2022, 3) + wholeDays(2025, 3),
			want: "6 orders EUR 6.00, 3 customers, 2022-01-01T00:00 to 2025-01-03T00:00",
		},
		{
			name: "times with zones", text: oddHead + "1,c1,2026-03-01T23:30:00-05:00,10.00,EUR\n2,c2,2026-03-02 01:00:00 +0200,20.00,EUR\n",
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T23:00 to 2026-03-02T04:30",
		},
		{
			name: "day or month", text: oddHead + "1,c1,03/04/2026,10.00,EUR\n2,c2,05/06/2026,20.00,EUR\n",
			want: "refused: dates read in two ways: the first number of line 2 may be the day or the month, and no other row tells: say --time-format, such as '%d/%m/%Y' or '%m/%d/%Y'",
		},
		{
			name: "day or month, said so", text: oddHead + "1,c1,03/04/2026,10.00,EUR\n2,c2,05/06/2026,20.00,EUR\n", with: fileimport.Options{TimeFormat: "%d/%m/%Y"},
			want: "2 orders EUR 30.00, 2 customers, 2026-04-03T00:00 to 2026-06-05T00:00",
		},
		{
			name: "the day is first in one row", text: oddHead + "1,c1,03/04/2026,10.00,EUR\n2,c2,25/06/2026,20.00,EUR\n",
			want: "2 orders EUR 30.00, 2 customers, 2026-04-03T00:00 to 2026-06-25T00:00",
		},
		{
			name: "the day first and the month first", text: oddHead + "1,c1,13/04/2026,10.00,EUR\n2,c2,05/26/2026,20.00,EUR\n",
			want: "refused: dates do not agree: line 2 reads only with the day first, line 3 only with the month first: say --time-format, such as '%d/%m/%Y' or '%m/%d/%Y'",
		},
		{
			name: "dates of several forms", text: oddHead + "1,c1,2026-03-01,10.00,EUR\n2,c2,1 Mar 2026,20.00,EUR\n3,c3,2026年3月1日,30.00,EUR\n4,c4,20260301,40.00,EUR\n5,c5,3/26,50.00,EUR\n",
			want: "4 orders EUR 100.00, 4 customers, 2026-03-01T00:00 to 2026-03-01T00:00; line 6: time is not understood: if it is written in another way, say --time-format",
		},
		{
			name: "years of two digits", text: oddHead + "1,c1,01.03.26,10.00,EUR\n",
			want: "0 customers; line 2: time is not understood: if it is written in another way, say --time-format",
		},
		{
			name: "a spreadsheet's days", text: oddHead + "1,c1,46082,10.00,EUR\n2,c2,46083.5,20.00,EUR\n",
			want: "refused: times are numbers (as in line 2), as a spreadsheet counts days when a date is not shown as one: say --time-format excel, or show the column as dates and save the file again",
		},
		{
			name: "a spreadsheet's day among dates", text: oddGood + "3,c3,46082,30.00,EUR\n",
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00; line 4: time is not understood: if it is written in another way, say --time-format",
		},
		{
			name: "seconds since 1970", text: oddHead + "1,c1,1772323200,10.00,EUR\n",
			want: "0 customers; line 2: time is not understood: if it is written in another way, say --time-format",
		},
		{
			name: "seconds since 1970, said so", text: oddHead + "1,c1,1772323200,10.00,EUR\n", with: fileimport.Options{TimeFormat: "unix"},
			want: "1 orders EUR 10.00, 1 customers, 2026-03-01T00:00 to 2026-03-01T00:00",
		},
		{
			name: "phones without a country", text: "order_id,phone,date,amount,currency\n1,0171 1234567,2026-03-01,10.00,EUR\n2,+4917112345678,2026-03-02,20.00,EUR\n",
			want: "1 orders EUR 20.00, 1 customers, 2026-03-02T00:00 to 2026-03-02T00:00; line 2: no usable identifier: none of customer, phone and email is understood",
		},
		{
			name: "no-break spaces", text: oddHead + "1,\u00a0c1,\u00a02026-03-01,10.00\u00a0,EUR\n" + oddTwo,
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00",
		},
	}
}
