package report

// readReach counts the customers by why they can not be reached, or can.
func (m *maker) readReach() (map[string]int64, error) {
	found, err := m.rows("reach")
	if err != nil {
		return nil, err
	}
	out := make(map[string]int64, len(found))
	for _, r := range found {
		out[r.text("reason")] = r.whole("customer_count")
	}
	return out, nil
}

// reach is who could be written to, and why not.
func (m *maker) reach() (*section, error) {
	counts, err := m.readReach()
	if err != nil {
		return nil, err
	}
	part := func(reason, class, help string) stackPart {
		return stackPart{Name: m.named(reason), Class: class, Help: help, n: counts[reason]}
	}
	return &section{
		ID: "reach", Title: m.T("Who could be reached"),
		Lead:       m.T("%s of %s customers could get a marketing message on WhatsApp today.", m.Num(counts["reachable"]), m.Num(m.totals.customers)),
		Definition: m.T("Each customer is in one part: the first reason that holds, from the right. Nothing was sent to anybody."),
		Basis:      m.T("%s customers", m.Num(m.totals.customers)),
		Blocks: []block{{Stack: m.newStack(m.T("Who could be reached"), []stackPart{
			part("reachable", "good", m.T("an address and an opt-in on record")),
			part("no_consent", "wait", m.T("no opt-in on record: ask them")),
			part("opted_out", "bad", m.T("they asked not to be written to")),
			part("no_phone_or_bsuid", "gone", m.T("no phone number or WhatsApp id is known")),
		})}},
	}, nil
}
