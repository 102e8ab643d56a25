package report

import (
	"github.com/goodhour/goodhour/api/web/texts"
)

// next is what to do now, with the commands.
func (m *maker) next() (*section, error) {
	counts, err := m.readReach()
	if err != nil {
		return nil, err
	}
	s := &section{ID: "next", Title: m.T("What to do now"), Basis: m.T("%s customers", m.Num(m.totals.customers))}
	data := m.options.Data
	say := func(text string, commands ...string) {
		s.Blocks = append(s.Blocks, block{Text: text})
		if len(commands) > 0 {
			s.Blocks = append(s.Blocks, block{Commands: commands})
		}
	}
	switch {
	case data != "":
		say(m.T("The data is kept. To open the dashboard again:"), "goodhour serve"+onData(data)+" --set models.as_of=last-event")
	case len(m.options.Again) > 0:
		data = "data"
		say(m.T("Nothing was kept beside this page. To keep the data, and to go on from here:"), "goodhour try "+texts.ShellWords(m.options.Again...)+" --keep data")
	}
	if n := counts["no_phone_or_bsuid"]; n > 0 {
		say(m.T("%s customers have no address. If your shop knows their phone numbers, bring them in:", m.Num(n)),
			"goodhour import customers customers.csv"+onData(data))
	}
	if n := counts["no_consent"]; n > 0 {
		say(m.T("%s customers have an address and no opt-in on record. Marketing needs one: bring in those that you have, and ask the others at checkout or in the shop.", m.Num(n)),
			"goodhour import consents consents.csv"+onData(data))
	}
	if n := counts["reachable"]; n > 0 {
		say(m.T("%s customers can be written to. Take them to a tool of yours, or rehearse a campaign on this machine, where nothing leaves it:", m.Num(n)),
			"goodhour export audience.all_reachable --out audience.csv"+onData(data), "goodhour sandbox")
	}
	say(m.T("Ask anything else in SQL:"), `goodhour sql "from marts.customers limit 10"`+onData(data))
	return s, nil
}

// onData names the data directory where a command does not take it by itself.
func onData(data string) string {
	if data == "" || data == "data" {
		return ""
	}
	return " --data " + texts.ShellWords(data)
}
