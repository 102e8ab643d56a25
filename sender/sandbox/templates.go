package sandbox

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/policy"
	"github.com/goodhour/goodhour/sender/template"
)

// Templates are those that the sandbox's account has unless others are
// configured: some that can be sent, and one of each that cannot.
func Templates() []template.Template {
	shop := template.Button{Action: template.OpenURL, Text: "Shop now", URL: "https://shop.example/new"}
	stop := func(label string) template.Button { return template.Button{Action: template.QuickReply, Text: label} }
	return withIDs([]template.Template{
		marketing("new_arrivals", "en_US", "Hi {{1}}, new arrivals just landed, picked for you.", shop, stop("Stop promotions")),
		marketing("new_arrivals", "pt_BR", "Olá {{1}}, as novidades chegaram, escolhidas para você.", shop, stop("Parar promoções")),
		marketing("new_arrivals", "es_MX", "Hola {{1}}, llegaron novedades elegidas para ti.", shop, stop("Detener promociones")),
		marketing("new_arrivals", "de", "Hallo {{1}}, die neue Kollektion ist da, für dich ausgesucht.", shop, stop("Werbung stoppen")),
		marketing("new_arrivals", "zh_CN", "{{1}}，您好，新品已到店。", shop, stop("停止推广")),
		marketing("win_back_offer", "en_US", "Hi {{1}}, it has been a while. Here is {{2}} off your next order.",
			template.Button{Action: template.CopyCode, Text: "Copy code"}, stop("Stop promotions")),
		marketing("win_back_offer", "pt_BR", "Olá {{1}}, faz tempo. Aqui estão {{2}} de desconto no próximo pedido.",
			template.Button{Action: template.CopyCode, Text: "Copiar código"}, stop("Parar promoções")),
		{
			Name: "order_shipped", Language: "en_US", Category: plan.Utility, Status: policy.TemplateApproved,
			Components: []template.Component{
				{Part: template.Header, Format: template.Text, Text: "Order {{order}}"},
				{Part: template.Body, Text: "Hi {{customer}}, your order is on its way."},
				{Part: template.Buttons, Buttons: []template.Button{{Action: template.OpenURL, Text: "Track it", URL: "https://shop.example/track/{{1}}"}}},
			},
		},
		{
			Name: "login_code", Language: "en_US", Category: plan.Authentication, Status: policy.TemplateApproved,
			Components: []template.Component{{Part: template.Body, Text: "{{1}} is your code."}},
		},
		in(policy.TemplatePaused, marketing("spring_sale", "en_US", "Hi {{1}}, spring sale.", shop)),
		in(policy.TemplateRejected, marketing("flash_deal", "en_US", "FREE FREE FREE {{1}}", shop)),
		in(policy.TemplateDisabled, marketing("old_offer", "en_US", "Hi {{1}}, an offer.", shop)),
		{
			Name: "store_opening", Language: "en_US", Category: plan.Marketing, Status: policy.TemplateApproved,
			Components: []template.Component{{Part: template.Header, Format: template.Location}, {Part: template.Body, Text: "We open near you."}},
		},
	})
}

func marketing(name, language, body string, buttons ...template.Button) template.Template {
	return template.Template{
		Name: name, Language: language, Category: plan.Marketing, Status: policy.TemplateApproved,
		Components: []template.Component{
			{Part: template.Body, Text: body},
			{Part: template.Buttons, Buttons: buttons},
		},
	}
}

func in(status policy.TemplateStatus, t template.Template) template.Template {
	t.Status = status
	return t
}

func withIDs(list []template.Template) []template.Template {
	for i := range list {
		list[i].ID = strconv.Itoa(594_425_479_261_000 + i)
	}
	return list
}

// stopButton is the label of the template's first quick reply, which in a
// marketing template stops promotions; empty if there is none.
func stopButton(t *template.Template) string {
	for _, c := range t.Components {
		for _, b := range c.Buttons {
			if b.Action == template.QuickReply {
				return b.Text
			}
		}
	}
	return ""
}

type wireTemplates struct {
	Data   []wireListed `json:"data"`
	Paging wirePaging   `json:"paging"`
}

type wirePaging struct {
	Cursors struct {
		Before string `json:"before"`
		After  string `json:"after"`
	} `json:"cursors"`
	Next string `json:"next,omitempty"`
}

type wireListed struct {
	ID         string              `json:"id"`
	Name       string              `json:"name"`
	Language   string              `json:"language"`
	Status     string              `json:"status"`
	Category   string              `json:"category"`
	Components []wireListComponent `json:"components"`
}

type wireListComponent struct {
	Type    string       `json:"type"`
	Format  string       `json:"format,omitempty"`
	Text    string       `json:"text,omitempty"`
	Buttons []wireButton `json:"buttons,omitempty"`
}

type wireButton struct {
	Type string `json:"type"`
	Text string `json:"text,omitempty"`
	URL  string `json:"url,omitempty"`
}

// templatesPerPage is the most on a page, few so that callers have to turn it.
const templatesPerPage = 10

// listTemplates answers GET /{version}/{account}/message_templates.
func (s *Sandbox) listTemplates(w http.ResponseWriter, r *http.Request) {
	if e := s.authorise(r); e != nil {
		s.refuse(w, e)
		return
	}
	if r.PathValue("id") != s.config.Account.WABAID {
		s.refuse(w, unknownObject(r.PathValue("id")))
		return
	}
	query := r.URL.Query()
	limit, err := strconv.Atoi(query.Get("limit"))
	if err != nil || limit < 1 || limit > templatesPerPage {
		limit = templatesPerPage
	}
	from, err := strconv.Atoi(strings.TrimPrefix(query.Get("after"), "page"))
	if err != nil || from < 0 || from > len(s.config.Templates) {
		from = 0
	}
	to := min(from+limit, len(s.config.Templates))
	page := wireTemplates{Data: []wireListed{}}
	for i := range s.config.Templates[from:to] {
		page.Data = append(page.Data, listed(&s.config.Templates[from+i]))
	}
	page.Paging.Cursors.Before, page.Paging.Cursors.After = "page"+strconv.Itoa(from), "page"+strconv.Itoa(to)
	if to < len(s.config.Templates) {
		query.Set("after", page.Paging.Cursors.After)
		next := url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path, RawQuery: query.Encode()}
		page.Paging.Next = next.String()
	}
	writeJSON(w, http.StatusOK, page)
}

func listed(t *template.Template) wireListed {
	l := wireListed{ID: t.ID, Name: t.Name, Language: t.Language, Status: string(t.Status), Category: strings.ToUpper(string(t.Category))}
	for _, c := range t.Components {
		wire := wireListComponent{Type: strings.ToUpper(string(c.Part)), Format: strings.ToUpper(string(c.Format)), Text: c.Text}
		for _, b := range c.Buttons {
			wire.Buttons = append(wire.Buttons, wireButton{Type: strings.ToUpper(string(b.Action)), Text: b.Text, URL: b.URL})
		}
		l.Components = append(l.Components, wire)
	}
	return l
}
