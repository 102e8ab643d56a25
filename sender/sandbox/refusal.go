package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// refusal is an error answer of Meta's.
type refusal struct {
	status  int
	code    int
	subcode int
	title   string
	details string
}

// knownCode is what Meta says of a code, in a refusal or a failed status
// ("Error codes"; checked 2026-11-23). Practice knows other HTTP statuses.
func knownCode(code int) (status int, title string) {
	switch code {
	case 0:
		return http.StatusUnauthorized, "AuthException"
	case 190:
		return http.StatusUnauthorized, "Access token has expired or is invalid"
	case 131000:
		return http.StatusInternalServerError, "Something went wrong"
	case 131008:
		return http.StatusBadRequest, "Required parameter is missing"
	case codeUndeliverable:
		return http.StatusBadRequest, "Message undeliverable"
	case codeWindowClosed:
		return http.StatusBadRequest, "Re-engagement message"
	case codeNotDelivered:
		return http.StatusBadRequest, "This message was not delivered to maintain healthy ecosystem engagement."
	case codeStopped:
		return http.StatusBadRequest, "User has stopped marketing messages from this business"
	case 131051:
		return http.StatusBadRequest, "Unsupported message type"
	case codeThroughput:
		return http.StatusBadRequest, "Rate limit hit"
	case codePairRate:
		return http.StatusBadRequest, "(Business Account, Consumer Account) pair rate limit hit"
	case 132000:
		return http.StatusBadRequest, "Template Param Count Mismatch"
	case 132001:
		return http.StatusNotFound, "Template does not exist"
	case 132005:
		return http.StatusBadRequest, "Template Hydrated Text Too Long"
	case 132012:
		return http.StatusBadRequest, "Template Parameter Format Mismatch"
	case 132015:
		return http.StatusBadRequest, "Template is Paused"
	case 132016:
		return http.StatusBadRequest, "Template is Disabled"
	}
	return http.StatusBadRequest, "Invalid parameter"
}

const (
	codeThroughput = 130429
	codePairRate   = 131056
)

func refuseWith(code int, details string) *refusal {
	status, title := knownCode(code)
	return &refusal{status: status, code: code, title: title, details: details}
}

// unknownObject is Meta's answer for an id that is nobody's to the caller.
func unknownObject(id string) *refusal {
	return &refusal{
		status: http.StatusBadRequest, code: 100, subcode: 33,
		title: "Unsupported request. Object with ID '" + id + "' does not exist or cannot be loaded due to missing permissions",
	}
}

type wireError struct {
	Error wireErrorBody `json:"error"`
}

type wireErrorBody struct {
	Message string         `json:"message"`
	Type    string         `json:"type"`
	Code    int            `json:"code"`
	Subcode int            `json:"error_subcode,omitempty"`
	Data    *wireErrorData `json:"error_data,omitempty"`
	Trace   string         `json:"fbtrace_id"`
}

type wireErrorData struct {
	Product string `json:"messaging_product"`
	Details string `json:"details"`
}

// refuse writes a refusal in Meta's form.
func (s *Sandbox) refuse(w http.ResponseWriter, e *refusal) {
	body := wireErrorBody{
		Message: fmt.Sprintf("(#%d) %s", e.code, e.title), Type: "OAuthException", Code: e.code, Subcode: e.subcode,
		Trace: "A" + s.world.key.with(traceDraw).with(s.calls.Load()).hex(22),
	}
	if e.details != "" {
		body.Data = &wireErrorData{Product: "whatsapp", Details: e.details}
	}
	writeJSON(w, e.status, wireError{Error: body})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the caller may be gone
}

// writeHTML is what a gateway in front of the API answers.
func writeHTML(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<html><body><h1>"+http.StatusText(status)+"</h1></body></html>\n")
}
