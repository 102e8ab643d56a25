package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/policy"
	"github.com/goodhour/goodhour/sender/provider"
	"github.com/goodhour/goodhour/sender/template"
)

// accounts is what is known of those configured.
type accounts struct {
	names         []string
	templates     func(account string) ([]template.Template, time.Time)
	syncTemplates func(ctx context.Context, account string) (int, error)
}

// templateAnswer is a template on the wire.
type templateAnswer struct {
	ID         string                `json:"id,omitempty"`
	Name       string                `json:"name"`
	Language   string                `json:"language"`
	Category   plan.Category         `json:"category"`
	Status     policy.TemplateStatus `json:"status"`
	BodyHash   string                `json:"body_hash"`
	Components []template.Component  `json:"components"`
	Parameters []parameterAnswer     `json:"parameters"`
	// Unsupported names what goodhour cannot send; empty: it can.
	Unsupported string `json:"unsupported,omitempty"`
}

// parameterAnswer is what a campaign has to map.
type parameterAnswer struct {
	Name     string                 `json:"name"`
	Part     template.Part          `json:"part"`
	Kind     template.ParameterKind `json:"kind"`
	CharsMax int                    `json:"chars_max"`
}

func newTemplateAnswer(t *template.Template) templateAnswer {
	out := templateAnswer{
		ID: t.ID, Name: t.Name, Language: t.Language, Category: t.Category, Status: t.Status, BodyHash: t.BodyHash(),
		Components: t.Components, Parameters: []parameterAnswer{}, Unsupported: t.Unsupported(),
	}
	if out.Components == nil {
		out.Components = []template.Component{}
	}
	for _, p := range t.Parameters() {
		out.Parameters = append(out.Parameters, parameterAnswer{p.Name, p.Part, p.Kind, p.CharsMax})
	}
	return out
}

// getTemplates lists an account's templates as they were synced last.
func (s *Server) getTemplates(w http.ResponseWriter, r *http.Request) error {
	account := r.URL.Query().Get("account")
	if err := s.checkAccount(account); err != nil {
		return err
	}
	list, at := s.accounts.templates(account)
	templates := make([]templateAnswer, len(list))
	for i := range list {
		templates[i] = newTemplateAnswer(&list[i])
	}
	answer := struct {
		Account   string           `json:"account"`
		SyncedAt  *time.Time       `json:"synced_at"` // null: never
		Templates []templateAnswer `json:"templates"`
	}{Account: account, Templates: templates}
	if !at.IsZero() {
		at = at.UTC()
		answer.SyncedAt = &at
	}
	return writeJSON(w, http.StatusOK, answer)
}

// checkAccount refuses a name that no configured account has.
func (s *Server) checkAccount(name string) error {
	if len(s.accounts.names) == 0 {
		return errNoAccount()
	}
	if !slices.Contains(s.accounts.names, name) {
		return problemf(problemNotFound, "account: want one of those configured: %s.", strings.Join(s.accounts.names, ", "))
	}
	return nil
}

// templatesTimeout bounds a sync, which asks the provider page by page.
const templatesTimeout = 2 * time.Minute

// postTemplatesSync gets an account's templates from its provider.
func (s *Server) postTemplatesSync(w http.ResponseWriter, r *http.Request) error {
	info := requestOf(r.Context())
	var in struct {
		Account string `json:"account"`
	}
	if err := readJSON(info.body, &in); err != nil {
		return err
	}
	if err := s.checkAccount(in.Account); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), templatesTimeout)
	defer cancel()
	n, err := s.accounts.syncTemplates(ctx, in.Account)
	if refusal, ok := errors.AsType[*provider.Error](err); ok {
		return &problem{kind: problemProvider, detail: sentence(refusal.Error()), cause: err}
	}
	if err != nil {
		return err
	}
	info.count = int64(n)
	return writeJSON(w, http.StatusOK, struct {
		Account   string `json:"account"`
		Templates int    `json:"templates"`
	}{in.Account, n})
}
