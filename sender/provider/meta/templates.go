package meta

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/policy"
	"github.com/goodhour/goodhour/sender/provider"
	"github.com/goodhour/goodhour/sender/template"
)

// An account has at most 6,000 templates (Meta, templates overview page,
// checked 2026-11-23).
const (
	templatesPerPage = "100"
	templatePagesMax = 100
)

type templatePage struct {
	Data   []listedTemplate `json:"data"`
	Paging struct {
		Cursors struct {
			After string `json:"after"`
		} `json:"cursors"`
		Next string `json:"next"`
	} `json:"paging"`
}

type listedTemplate struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Language   string `json:"language"`
	Status     string `json:"status"`
	Category   string `json:"category"`
	Components []struct {
		Type    string `json:"type"`
		Format  string `json:"format"`
		Text    string `json:"text"`
		Buttons []struct {
			Type string `json:"type"`
			Text string `json:"text"`
			URL  string `json:"url"`
		} `json:"buttons"`
	} `json:"components"`
}

// Templates implements provider.Provider: GET /{account}/message_templates,
// page by page. One call lists all, so do not poll: Meta allows 200 an hour.
func (m *Meta) Templates(ctx context.Context) ([]template.Template, error) {
	var all []template.Template
	query := url.Values{"fields": {"id,name,language,status,category,components"}, "limit": {templatesPerPage}}
	for range templatePagesMax {
		answer, err := m.call(ctx, http.MethodGet, m.config.BaseURL+"/"+m.config.Version+"/"+m.config.AccountID+"/message_templates?"+query.Encode(), nil)
		if err != nil {
			return nil, err
		}
		var page templatePage
		if json.Unmarshal(answer, &page) != nil {
			return nil, m.fail(provider.Ambiguous, "the list of templates cannot be read: try again")
		}
		for i := range page.Data {
			all = append(all, page.Data[i].template())
		}
		after := page.Paging.Cursors.After
		if page.Paging.Next == "" || after == "" {
			return all, nil
		}
		if after == query.Get("after") {
			break
		}
		query.Set("after", after)
	}
	return nil, m.fail(provider.Ambiguous, "the list of templates does not end: try again")
}

func (l *listedTemplate) template() template.Template {
	t := template.Template{
		ID: l.ID, Name: l.Name, Language: l.Language,
		Category: plan.Category(strings.ToLower(l.Category)),
		Status:   policy.TemplateStatus(strings.ToUpper(l.Status)),
	}
	for _, listed := range l.Components {
		c := template.Component{Part: template.Part(strings.ToLower(listed.Type)), Text: listed.Text}
		if c.Part == template.Header {
			c.Format = template.Format(strings.ToLower(listed.Format))
		}
		for _, b := range listed.Buttons {
			c.Buttons = append(c.Buttons, template.Button{Action: template.Action(strings.ToLower(b.Type)), Text: b.Text, URL: b.URL})
		}
		t.Components = append(t.Components, c)
	}
	return t
}
