package meta

import (
	"net/http"
	"time"

	"github.com/goodhour/goodhour/sender/provider"
)

// verdict is what an error means.
type verdict struct {
	class      provider.Class
	scope      provider.Scope
	retryAfter time.Duration
	optedOut   bool
	detail     string
}

// byStatus judges an answer whose code is missing or unknown.
func byStatus(status int) verdict {
	switch {
	case status == http.StatusTooManyRequests:
		return verdict{class: provider.RetrySafe, scope: provider.ScopeNumber, retryAfter: time.Second, detail: "too many requests (HTTP 429)"}
	case status == http.StatusRequestTimeout || status >= 500:
		return verdict{class: provider.Ambiguous, detail: "the server broke off without a code: a status may still tell"}
	case status < 400: // a redirect: we speak to the wrong host
		return verdict{class: provider.Account, scope: provider.ScopeAccount, detail: "redirected: check base_url"}
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusNotFound, status == http.StatusProxyAuthRequired:
		return verdict{class: provider.Account, scope: provider.ScopeAccount, detail: "access refused, or nothing at this address: check token, permissions and base_url"}
	default:
		return verdict{class: provider.Message, detail: "refused by a code that goodhour does not know"}
	}
}

// byCode judges Meta's codes. Sources: Meta, Cloud API "Error codes" page
// (version of 2025-12-12) and pages of 2026 for the codes above 131050, all
// checked 2026-11-23. The class is goodhour's judgement. Which refusals are
// safe to repeat: only those that Meta makes before it takes a message.
func byCode(code, subcode int) (verdict, bool) {
	if code >= 200 && code <= 299 {
		code = 10
	}
	// A 100 of this subcode means that the number's id is nobody's to us.
	if code == 100 && subcode == 33 {
		code = 33
	}
	for _, judge := range []func(int) verdict{limitCode, doubtCode, recipientCode, messageCode, templateCode, numberCode, accountCode} {
		if v := judge(code); v.class != "" {
			return v, true
		}
	}
	return verdict{}, false
}

// limitCode: refused before the message was taken.
func limitCode(code int) verdict {
	v := verdict{class: provider.RetrySafe}
	switch code {
	case 4:
		v.scope, v.retryAfter, v.detail = provider.ScopeAccount, time.Minute, "the app calls too often"
	case 613:
		v.scope, v.retryAfter, v.detail = provider.ScopeAccount, time.Minute, "calls of this kind are too frequent"
	case 80007:
		v.scope, v.retryAfter, v.detail = provider.ScopeAccount, time.Minute, "the account's rate limit is reached"
	case 130429:
		v.scope, v.retryAfter, v.detail = provider.ScopeNumber, time.Second, "the number's throughput is reached: lower its rate"
	case 131056: // wait 4^X seconds, X the failed tries: the caller grows it
		v.scope, v.retryAfter, v.detail = provider.ScopePair, 4*time.Second, "too many messages from this number to this customer"
	case 131057:
		v.scope, v.retryAfter, v.detail = provider.ScopeNumber, 2*time.Minute, "the number is in maintenance"
	case 134101:
		v.retryAfter, v.detail = 10*time.Minute, "the template is being synced for marketing messages"
	case 2494100:
		v.scope, v.retryAfter, v.detail = provider.ScopeNumber, 5*time.Minute, "maintenance mode"
	default:
		return verdict{}
	}
	return v
}

// doubtCode: the message may have gone.
func doubtCode(code int) verdict {
	switch code {
	case 1, 2, 131000, 131016, 133004:
		return verdict{class: provider.Ambiguous, detail: "the server is overloaded or broke off: a status may still tell"}
	}
	return verdict{}
}

func recipientCode(code int) verdict {
	v := verdict{class: provider.Recipient}
	switch code {
	case 130403:
		v.detail = "the customer blocked the business"
	case 130472:
		v.detail = "the customer is in an experiment of Meta's without marketing: not in this campaign"
	case 131021:
		v.detail = "sender and recipient are the same"
	case 131026:
		v.detail = "undeliverable: not on WhatsApp, an old app, terms not accepted, or blocked"
	case 131030:
		v.detail = "not in the test number's list of recipients: add the number there"
	case 131049:
		v.retryAfter, v.detail = 24*time.Hour, "Meta chose not to deliver marketing to this customer now: wait 24 h or more, longer each time"
	case 131050:
		v.optedOut, v.detail = true, "the customer stopped marketing from this business"
	case 131062:
		v.detail = "this message needs a phone, not a BSUID"
	case 137000:
		v.detail = "the customer's identity changed: confirm it again"
	default:
		return verdict{}
	}
	return v
}

func messageCode(code int) verdict {
	v := verdict{class: provider.Message}
	switch code {
	case 100, 131008, 131009:
		v.detail = "a parameter is missing or invalid"
	case 131047:
		v.detail = "the 24-hour window is closed: use a template"
	case 131051:
		v.detail = "unsupported kind of message"
	case 131052, 131053:
		v.detail = "a file could not be fetched or uploaded: check its link, type and size"
	case 132005:
		v.detail = "the text is too long with its parameters"
	case 132018:
		v.detail = "a template parameter is not valid"
	case 135000:
		v.detail = "the message's parameters are not valid"
	case 139200:
		v.detail = "sending without a template is not allowed to this account"
	default:
		return verdict{}
	}
	return v
}

func templateCode(code int) verdict {
	v := verdict{class: provider.Template}
	switch code {
	case 131055, 131063, 134100, 134102:
		v.detail = "the template's category does not go by this way of sending"
	case 132000, 132008, 132012:
		v.detail = "the template takes other parameters: sync templates"
	case 132001:
		v.detail = "no such template in this language, or not approved: sync templates"
	case 132007:
		v.detail = "the template violates a content policy"
	case 132015:
		v.detail = "the template is paused for low quality"
	case 132016:
		v.detail = "the template is disabled for good"
	case 132068, 132069:
		v.detail = "the template's flow is blocked or throttled"
	default:
		return verdict{}
	}
	return v
}

func numberCode(code int) verdict {
	v := verdict{class: provider.Number, scope: provider.ScopeNumber}
	switch code {
	case 33:
		v.detail = "no such number, or no access to it: check number_id"
	case 131037:
		v.detail = "the number's display name is not approved"
	case 131045, 133000, 133005, 133006, 133008, 133009, 133010, 133015, 133016:
		v.detail = "the number is not registered: register it again"
	case 131048:
		v.detail = "too much of this number's messages is blocked or reported: stop for hours, do not retry"
	case 134011:
		v.detail = "the payments terms are not accepted"
	default:
		return verdict{}
	}
	return v
}

func accountCode(code int) verdict {
	v := verdict{class: provider.Account, scope: provider.ScopeAccount}
	switch code {
	case 190:
		v.detail = "the token is not valid or has expired: give a new one"
	case 3, 10, 131005:
		v.detail = "a permission is missing: check the token's"
	case 368:
		v.detail = "blocked for a violation of policy: see Business Support"
	case 131031:
		v.detail = "the account is locked, or its PIN is wrong"
	case 131042:
		v.detail = "a payment problem: check the account's payment method"
	case 131064:
		v.detail = "the account's templates of this class are limited"
	case 130497:
		v.scope, v.detail = provider.ScopeCountry, "the account may not write to this country"
	default:
		return verdict{}
	}
	return v
}
