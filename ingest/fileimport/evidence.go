package fileimport

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// decide reads the columns whose reading has to be decided over all rows, and
// tells the builder what it found: the decimal sign, the order of day and
// month, whether every amount names its currency.
func (r *run) decide(ctx context.Context, b *builder) error {
	var amounts amountEvidence
	var dates dateEvidence
	var columns []string
	for _, field := range r.mapping.columnFields() {
		isTime := field == "time" || slices.Contains(momentFields, field)
		if field == "amount" || isTime && r.options.TimeFormat == "" {
			columns = append(columns, field)
		}
	}
	if len(columns) > 0 {
		err := r.stage.pages(ctx, sqlStagedPage, columns, nil, r.total, func(rows []stagedRow) error {
			for _, row := range rows {
				for i, value := range row.values {
					if columns[i] == "amount" {
						amounts.add(value, row.place)
					} else {
						dates.add(value, row.place)
					}
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return r.settle(b, &amounts, &dates)
}

func (r *run) settle(b *builder, amounts *amountEvidence, dates *dateEvidence) error {
	var problems []string
	order, err := dates.order(r.rejections.describe, b.clock.serials)
	if err != nil {
		problems = append(problems, err.Error())
	}
	b.clock.order = order
	switch r.options.Decimal {
	case decimalPoint:
		b.decimal = '.'
	case decimalComma:
		b.decimal = ','
	default:
		if b.decimal, err = amounts.decimal(r.rejections.describe); err != nil {
			problems = append(problems, err.Error())
		}
	}
	if r.options.Kind == Orders && !b.cells["currency"].mapped() && amounts.named < amounts.values {
		sign := ""
		if len(amounts.marks) > 0 {
			sign = fmt.Sprintf(" (the amounts have %s, which does not say it for every row)", strings.Join(amounts.marks, ", "))
		}
		problems = append(problems, "no currency"+sign+": name its column with --currency COLUMN, or give every row one with --value currency=USD")
	}
	if len(problems) > 0 {
		return &Refusal{Problems: problems}
	}
	return nil
}
