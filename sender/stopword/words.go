package stopword

// word is a message that means something. Where languages share one, the first
// in the table names the language.
type word struct {
	text     string
	language string // BCP 47
	action   Action
	// ambiguous words are also said about an order or an appointment.
	ambiguous bool
}

// words are the words of all languages.
//
// The English ones are the default opt-out and opt-in keywords of SMS (Twilio,
// "Advanced Opt-Out"; checked 2026-11-23); YES, one of them, is left out: it
// answers too many other questions. Those of other languages are convention,
// 退订 and TD that of Chinese SMS. "Stop promotions" and "Parar promoções" are
// the opt-out buttons that WhatsApp Manager offers for marketing templates; the
// other languages' are put in their likeness.
//
// A word that undoes an opt-out must be beyond doubt, so ANMELDEN (also: log in)
// or AANMELDEN are not here.
func words() []word {
	return []word{
		{"STOP", "en", OptOut, false},
		{"STOP ALL", "en", OptOut, false},
		{"STOP PROMOTIONS", "en", OptOut, false},
		{"STOP MESSAGES", "en", OptOut, false},
		{"UNSUBSCRIBE", "en", OptOut, false},
		{"OPT OUT", "en", OptOut, false},
		{"QUIT", "en", OptOut, false},
		{"REVOKE", "en", OptOut, false},
		{"END", "en", OptOut, false},
		{"CANCEL", "en", OptOut, true},
		{"START", "en", OptIn, false},
		{"UNSTOP", "en", OptIn, false},
		{"RESUME PROMOTIONS", "en", OptIn, false},

		{"PARAR", "pt", OptOut, false},
		{"SAIR", "pt", OptOut, false},
		{"DESCADASTRAR", "pt", OptOut, false},
		{"PARAR PROMOÇÕES", "pt", OptOut, false},
		{"CANCELAR", "pt", OptOut, true},
		{"REMOVER", "pt", OptOut, true},
		{"VOLTAR", "pt", OptIn, false},

		{"BAJA", "es", OptOut, false},
		{"ALTO", "es", OptOut, false},
		{"DETENER PROMOCIONES", "es", OptOut, false},
		{"ALTA", "es", OptIn, false},

		{"ARRÊT", "fr", OptOut, false},
		{"DÉSABONNER", "fr", OptOut, false},
		{"ARRÊTER LES PROMOTIONS", "fr", OptOut, false},
		{"RÉABONNER", "fr", OptIn, false},

		{"STOPP", "de", OptOut, false},
		{"ABMELDEN", "de", OptOut, false},
		{"ABBESTELLEN", "de", OptOut, false},
		{"WERBUNG STOPPEN", "de", OptOut, false},
		{"STARTEN", "de", OptIn, false},

		{"CANCELLA", "it", OptOut, true},
		{"INTERROMPI PROMOZIONI", "it", OptOut, false},
		{"RIATTIVA", "it", OptIn, false},

		{"AFMELDEN", "nl", OptOut, false},
		{"STOP PROMOTIES", "nl", OptOut, false},
		{"HERVATTEN", "nl", OptIn, false},

		{"退订", "zh", OptOut, false},
		{"退訂", "zh", OptOut, false},
		{"取消订阅", "zh", OptOut, false},
		{"取消訂閱", "zh", OptOut, false},
		{"停止", "zh", OptOut, false},
		{"停止推广", "zh", OptOut, false},
		{"停止推廣", "zh", OptOut, false},
		{"TD", "zh", OptOut, false},
		{"恢复订阅", "zh", OptIn, false},
		{"恢復訂閱", "zh", OptIn, false},
		{"重新订阅", "zh", OptIn, false},
		{"重新訂閱", "zh", OptIn, false},
	}
}
