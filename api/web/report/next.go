package report

import "strings"

// next is what to do now, with the commands.
func (m *maker) next() (*section, error) {
	counts, err := m.readReach()
	if err != nil {
		return nil, err
	}
	s := &section{ID: "next", Title: m.t("What to do now"), Basis: m.t("%s customers", m.num(m.totals.customers))}
	data := m.options.Data
	say := func(text string, commands ...string) {
		s.Blocks = append(s.Blocks, block{Text: text})
		if len(commands) > 0 {
			s.Blocks = append(s.Blocks, block{Commands: commands})
		}
	}
	switch {
	case data != "":
		say(m.t("The data is kept. To open the dashboard again:"), "goodhour serve"+onData(data)+" --set models.as_of=last-event")
	case len(m.options.Again) > 0:
		data = "data"
		say(m.t("Nothing was kept beside this page. To keep the data, and to go on from here:"), "goodhour try "+quoted(m.options.Again)+" --keep data")
	}
	if n := counts["no_phone_or_bsuid"]; n > 0 {
		say(m.t("%s customers have no address. If your shop knows their phone numbers, bring them in:", m.num(n)),
			"goodhour import customers customers.csv"+onData(data))
	}
	if n := counts["no_consent"]; n > 0 {
		say(m.t("%s customers have an address and no opt-in on record. Marketing needs one: bring in those that you have, and ask the others at checkout or in the shop.", m.num(n)),
			"goodhour import consents consents.csv"+onData(data))
	}
	if n := counts["reachable"]; n > 0 {
		say(m.t("%s customers can be written to. Take them to a tool of yours, or rehearse a campaign on this machine, where nothing leaves it:", m.num(n)),
			"goodhour export audience.all_reachable --out audience.csv"+onData(data), "goodhour sandbox")
	}
	say(m.t("Ask anything else in SQL:"), `goodhour sql "from marts.customers limit 10"`+onData(data))
	return s, nil
}

// onData names the data directory where a command does not take it by itself.
func onData(data string) string {
	if data == "" || data == "data" {
		return ""
	}
	return " --data " + quoted([]string{data})
}

// quoted is texts as words of a POSIX shell.
func quoted(texts []string) string {
	plain := func(c rune) bool {
		return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("/._-+:,@=%", c)
	}
	words := make([]string, len(texts))
	for i, text := range texts {
		words[i] = text
		if text == "" || strings.ContainsFunc(text, func(c rune) bool { return !plain(c) }) {
			words[i] = "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}
