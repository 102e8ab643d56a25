package campaign

import (
	"encoding/json"
	"fmt"

	"github.com/goodhour/goodhour/sender/policy"
	"github.com/goodhour/goodhour/sender/template"
)

// Campaign is a campaign's file, read. Its JSON is a campaign's file again.
type Campaign struct {
	// ID is how reports name the campaign; a later file of the same id takes its
	// place. Small letters, digits, _ and -.
	ID       string   `json:"id"`
	Audience Audience `json:"audience"`
	Template Template `json:"template"`
	// Account is the configured account that sends.
	Account string `json:"account"`
	// Numbers are the ids of the numbers that send; none means all of the
	// account's. A customer always gets the same one of the same numbers.
	Numbers  []string `json:"numbers,omitempty"`
	Schedule Schedule `json:"schedule"`
	Holdout  Holdout  `json:"holdout,omitzero"`
	// Overrides of the policy's rules.
	Overrides policy.Overrides `json:"overrides,omitzero"`
	// Needs are rules that the campaign must not be sent without.
	Needs []policy.Rule `json:"needs,omitempty"`
}

// Audience is who is written to: a relation of the published file, or one
// select on it. Either gives customer_id, once for each customer, and may give
// score (the higher is sent first) and columns for parameters.
type Audience struct {
	Relation string `json:"relation,omitempty"` // "audience.win_back"
	SQL      string `json:"sql,omitempty"`
}

// String is the relation's name, or the SQL.
func (a Audience) String() string { return a.Relation + a.SQL }

// Template names the provider's template and says where its values come from.
type Template struct {
	Name       string               `json:"name"`
	Language   string               `json:"language"` // "en_US", as the provider writes it
	Parameters map[string]Parameter `json:"parameters,omitempty"`
}

// Parameter is where a parameter's value comes from, one of three, and what a
// missing one does.
type Parameter struct {
	Column string `json:"column,omitempty"` // of the audience
	// Field is personal: one of warehouse.PersonalFields, read at planning.
	Field string `json:"field,omitempty"`
	// Value is the same for all.
	Value   string           `json:"value,omitempty"`
	Missing template.Missing `json:"missing,omitempty"` // for a column or field
	Default string           `json:"default,omitempty"` // for Missing default
}

// rule is the parameter's rule as templates know it. A value for all is what
// stands in where no customer has one.
func (p Parameter) rule() template.Rule {
	if p.Value != "" {
		return template.Rule{Missing: template.UseDefault, Default: p.Value}
	}
	return template.Rule{Missing: p.Missing, Default: p.Default}
}

// Holdout is the campaign's word on its own control. The global holdout is the
// policy's alone.
type Holdout struct {
	// ControlPercent of the customers outside the global holdout get no message,
	// so that the lift can be told; nil means the policy's, 0 means none.
	ControlPercent *float64 `json:"control_percent,omitempty"`
	// Baseline is the share that buys within a week without a message, 0 to 1;
	// nil means that of all reachable customers in the week before as-of.
	Baseline *float64 `json:"baseline,omitempty"`
}

// Send is when messages go out.
type Send string

// The ways. BestTime is each customer's best hour, the next one that the
// schedule allows; At a given instant, or a given local time of each customer;
// Now the first instant that the schedule allows.
const (
	BestTime Send = "best_time"
	At       Send = "at"
	Now      Send = "now"
)

// Schedule is when messages may go out.
type Schedule struct {
	Send Send `json:"send"`
	// At is for Send at.
	At *Moment `json:"at,omitempty"`
	// Window: nothing is sent before From, nothing at To or later. Without To a
	// message's deadline is its time and the policy's max_lateness, or the end of
	// its local days and hours if that is sooner.
	Window Window `json:"window,omitzero"`
	// LocalDays and LocalHours are by the customer's clock; none means all. A
	// message belongs to the stretch of them that its time lies in: what has not
	// gone out when that ends, behind a pause or a slow number, expires. The
	// report's LateAtPace says how many the pace alone would bring there.
	LocalDays  []Weekday   `json:"local_days,omitempty"`
	LocalHours *LocalHours `json:"local_hours,omitempty"`
	// SpreadDays deals the customers out over this many days; 0 means one.
	SpreadDays int `json:"spread_days,omitempty"`
	// TimeZone is of the customers whose own is not known, an IANA name.
	// Without one they get no marketing.
	TimeZone string `json:"time_zone,omitempty"`
}

// Window is a span of time; nil means open.
type Window struct {
	From *Moment `json:"from,omitempty"`
	To   *Moment `json:"to,omitempty"`
}

// LocalHours is the part of each day [From, To); over midnight if From is later.
type LocalHours struct {
	From policy.Clock `json:"from"`
	To   policy.Clock `json:"to"`
}

// file is the campaign as a plan keeps it.
func (c *Campaign) file() (json.RawMessage, error) {
	raw, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("write campaign %s as JSON: %w", c.ID, err)
	}
	return raw, nil
}
