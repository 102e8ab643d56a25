package stopword

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestWholeMessageIsRead(t *testing.T) {
	t.Parallel()
	out := func(language string) Match { return Match{OptOut, language, false} }
	doubtful := func(language string) Match { return Match{OptOut, language, true} }
	in := func(language string) Match { return Match{OptIn, language, false} }
	for text, want := range map[string]Match{
		// Every word that the platform's lists and ours promise.
		"STOP": out("en"), "STOPALL": out("en"), "UNSUBSCRIBE": out("en"), "CANCEL": doubtful("en"), "END": out("en"),
		"QUIT": out("en"), "REVOKE": out("en"), "OPTOUT": out("en"),
		"PARAR": out("pt"), "SAIR": out("pt"), "CANCELAR": doubtful("pt"), "DESCADASTRAR": out("pt"), "REMOVER": doubtful("pt"),
		"BAJA": out("es"), "ALTO": out("es"),
		"ARRET": out("fr"), "ARRÊT": out("fr"), "DESABONNER": out("fr"),
		"STOPP": out("de"), "ABMELDEN": out("de"), "ABBESTELLEN": out("de"),
		"CANCELLA": doubtful("it"), "AFMELDEN": out("nl"),
		"退订": out("zh"), "退訂": out("zh"), "取消订阅": out("zh"), "取消訂閱": out("zh"), "停止": out("zh"), "TD": out("zh"),
		"START": in("en"), "UNSTOP": in("en"), "VOLTAR": in("pt"), "ALTA": in("es"),
		"Réabonner": in("fr"), "starten": in("de"), "riattiva": in("it"), "hervatten": in("nl"), "恢复订阅": in("zh"),

		// However it is written.
		"stop": out("en"), " Stop. ": out("en"), "STOP!!!": out("en"), "¡stop!": out("en"), "s t o p": out("en"),
		"S.T.O.P.": out("en"), "\"stop\"": out("en"), "🛑 STOP 🛑": out("en"), "stop\n": out("en"),
		"opt-out": out("en"), "Opt out": out("en"), "stop all": out("en"),
		"ＳＴＯＰ": out("en"), "ｓｔｏｐ！": out("en"), "ＴＤ": out("zh"), "td。": out("zh"), "【退订】": out("zh"), "退 订": out("zh"),
		"arrêt": out("fr"), "arre\u0302t": out("fr"), "Désabonner": out("fr"), "de\u0301sabonner": out("fr"),
		"st\u200bop": out("en"), "sto\xffp": out("en"),
		"Parar promoções": out("pt"), "parar promocoes": out("pt"), "Stop promotions": out("en"),

		// Anything more than the word means something else.
		"": {}, "   ": {}, "🛑": {}, "stop it": {}, "please stop": {}, "don't stop": {}, "nonstop": {}, "stop 2": {},
		"stopping": {}, "bus stop": {}, "cancelar meu pedido": {}, "cancel my order": {}, "the end": {}, "weekend": {},
		"restart": {}, "yes": {}, "sim": {}, "ok": {}, "0": {}, "t": {}, "订阅了吗": {}, "我要退订单": {}, "не стоп": {},
		strings.Repeat("stop ", 900): {},
	} {
		if got := Classify(text, ""); got != want {
			t.Errorf("Classify(%q) is %+v, want %+v", text, got, want)
		}
	}
}

func TestPayloadOfAButtonIsRead(t *testing.T) {
	t.Parallel()
	f := func(text, payload string, want Match) {
		t.Helper()
		if got := Classify(text, payload); got != want {
			t.Errorf("Classify(%q, %q) is %+v, want %+v", text, payload, got, want)
		}
	}
	f("Não quero mais", "STOP", Match{OptOut, "en", false})
	f("Stop promotions", "STOP_PROMOTIONS", Match{OptOut, "en", false})
	f("Parar promoções", "Parar promoções", Match{OptOut, "pt", false})
	f("", "stop-promotions", Match{OptOut, "en", false})
	f("Yes, again", "START", Match{OptIn, "en", false})
	// An opt-out wins, whichever side it is on.
	f("START", "STOP", Match{OptOut, "en", false})
	f("STOP", "START", Match{OptOut, "en", false})
	f("CANCELAR", "START", Match{OptOut, "pt", true})
	// The business's own payload for an order is no opt-out.
	f("Cancel order", "CANCEL", Match{})
	f("CANCEL", "CANCEL", Match{OptOut, "en", true})
	f("Buy", "BUY:A-991", Match{})
}

func TestTableHoldsItsOwnRules(t *testing.T) {
	t.Parallel()
	actions := map[string]Action{}
	languages := map[string]map[Action]bool{}
	for _, w := range words() {
		folded, short := fold(w.text)
		if !short || folded == "" {
			t.Errorf("%s can never be matched: raise lettersMax", w.text)
		}
		if action, seen := actions[folded]; seen {
			t.Errorf("%s is in the table twice, as %s and %s", w.text, action, w.action)
		}
		actions[folded] = w.action
		if w.action == OptIn && w.ambiguous {
			t.Errorf("%s would undo an opt-out and is ambiguous", w.text)
		}
		if languages[w.language] == nil {
			languages[w.language] = map[Action]bool{}
		}
		languages[w.language][w.action] = true
	}
	for _, language := range []string{"en", "pt", "es", "fr", "de", "it", "nl", "zh"} {
		if !languages[language][OptOut] || !languages[language][OptIn] {
			t.Errorf("%s has no stop word or no start word", language)
		}
	}
}

func FuzzClassify(f *testing.F) {
	for _, w := range words() {
		f.Add(w.text, "")
	}
	f.Add("ＳＴＯＰ", "START")
	f.Add("arre\u0302t!", "\xff")
	f.Add("bus stop", "CANCEL")
	f.Fuzz(func(t *testing.T, text, payload string) {
		got := Classify(text, payload)
		if (got.Action == None) != (got == Match{}) {
			t.Fatalf("%+v for %q, %q", got, text, payload)
		}
		if again := Classify(" «"+strings.ToUpper(text)+"»!", payload); sameCase(text) && again != got {
			t.Fatalf("%q is %+v, in capitals and quotes %+v", text, got, again)
		}
		// Never less cautious for what the other half says.
		if Classify(text, "").Action == OptOut && got.Action != OptOut {
			t.Fatalf("payload %q undid the opt-out %q", payload, text)
		}
		letters := 0
		for _, r := range text {
			if unicode.IsLetter(r) {
				letters++
			}
		}
		if letters > lettersMax && Classify(text, "").Action != None {
			t.Fatalf("%d letters were read as a word", letters)
		}
	})
}

// sameCase says whether a text comes back from capitals as the same letters;
// ß or İ do not, and no word of the table has them.
func sameCase(text string) bool {
	if !utf8.ValidString(text) {
		return false
	}
	for _, r := range text {
		if unicode.ToLower(unicode.ToUpper(r)) != unicode.ToLower(r) {
			return false
		}
	}
	return true
}

func BenchmarkClassify(b *testing.B) {
	long := strings.Repeat("Olá, gostaria de saber o preço. ", 100)
	for b.Loop() {
		if Classify(long, "").Action != None || Classify("Parar", "").Action != OptOut {
			b.Fatal("misread")
		}
	}
}
