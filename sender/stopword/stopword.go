package stopword

import (
	"strings"
	"sync"
	"unicode"
)

// Action is what a message asks for.
type Action string

// The actions. None is the zero value.
const (
	None   Action = ""
	OptOut Action = "opt_out" // no more marketing
	OptIn  Action = "opt_in"  // marketing again
)

// Match is how a message was read. The zero Match means nothing was asked.
type Match struct {
	Action Action
	// Language of the word, BCP 47, to answer in; the first in the table's
	// order for a word that several share.
	Language string
	// Ambiguous says that the word may mean something else ("cancelar": my
	// order). Marketing stops meanwhile; an answer should ask.
	Ambiguous bool
}

// Classify reads a message: the text that was typed, or a button's title, and
// the button's payload, either of which may be empty. An opt-out in one of them
// beats an opt-in in the other. Ambiguous words count only in the text: a
// payload is the business's own word, and "cancel" there is what it says to an
// order.
func Classify(text, payload string) Match {
	typed, pressed := lookup(text), lookup(payload)
	if pressed.Ambiguous {
		pressed = Match{}
	}
	if pressed.Action == OptOut || typed.Action == None {
		return pressed
	}
	return typed
}

// index holds the table by folded word.
var index = sync.OnceValue(func() map[string]Match {
	matches := make(map[string]Match)
	for _, w := range words() {
		folded, _ := fold(w.text)
		if _, taken := matches[folded]; !taken {
			matches[folded] = Match{w.action, w.language, w.ambiguous}
		}
	}
	return matches
})

func lookup(message string) Match {
	folded, short := fold(message)
	if !short {
		return Match{}
	}
	return index()[folded]
}

// lettersMax is the most letters that a word of the table has; a longer message
// is not read to its end.
const lettersMax = 24

// fold reduces a message to its letters and digits: lower case, without accents
// and in ordinary width. short is false where it has more than lettersMax.
func fold(message string) (folded string, short bool) {
	var b strings.Builder
	letters := 0
	for _, r := range message {
		// Full-width forms of ASCII: U+FF01 to U+FF5E.
		if r >= '！' && r <= '～' {
			r -= '！' - '!'
		}
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			continue
		}
		if letters++; letters > lettersMax {
			return "", false
		}
		b.WriteRune(plain(unicode.ToLower(r)))
	}
	return b.String(), true
}

// plain takes the accent off a lower-case letter of the table's languages. An
// accent that is a mark of its own is no letter and gone already.
func plain(r rune) rune {
	for _, accented := range [...]string{"aàáâãäåā", "cç", "eèéêëē", "iìíîïī", "nñ", "oòóôõöō", "uùúûüū", "yýÿ"} {
		if r >= 'à' && strings.ContainsRune(accented, r) {
			return rune(accented[0])
		}
	}
	return r
}
