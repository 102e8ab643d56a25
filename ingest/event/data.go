package event

import (
	"encoding/json"
	"time"
)

// Data is the typed data of a kind; each struct below is one. A test compares
// their fields with the table in kind.go. A zero value or nil pointer of an
// optional field is left out, which says nothing.
type Data interface{ Kind() Kind }

// Person is the identifiers that an event may carry beside its subject. Those
// of one event belong to one person, except in IdentityUnlinkedData.
type Person struct {
	// Phone is international: "+5511999990000". With the + it decodes fastest.
	Phone string `json:"phone,omitempty"`
	// BSUID is Meta's business-scoped user id: "BR.1349…".
	BSUID string `json:"bsuid,omitempty"`
	Email string `json:"email,omitempty"`
	// ExternalIDs is the key that each system has for the person.
	ExternalIDs map[string]string `json:"external_ids,omitempty"`
}

// Message says which of our messages something happened to.
type Message struct {
	MessageID         string `json:"message_id,omitempty"`
	ProviderMessageID string `json:"provider_message_id,omitempty"`
	Provider          string `json:"provider"`
	NumberID          string `json:"number_id"`
	CampaignID        string `json:"campaign_id,omitempty"`
}

// Pricing is what the provider says of a message's price.
type Pricing struct {
	Billable *bool  `json:"billable,omitempty"`
	Category string `json:"category,omitempty"`
	Type     string `json:"type,omitempty"`
}

// MessageSentData is the data of MessageSent.
type MessageSentData struct {
	Person
	Message
	Pricing *Pricing `json:"pricing,omitempty"`
}

// MessageDeliveredData is the data of MessageDelivered.
type MessageDeliveredData struct {
	Person
	Message
	Pricing *Pricing `json:"pricing,omitempty"`
}

// MessageFailedData is the data of MessageFailed.
type MessageFailedData struct {
	Person
	Message
	ErrorCode  string `json:"error_code,omitempty"`
	ErrorClass string `json:"error_class,omitempty"`
}

// MessageReadData is the data of MessageRead.
type MessageReadData struct {
	Person
	Message
}

// LinkClickedData is the data of LinkClicked.
type LinkClickedData struct {
	Person
	MessageID  string `json:"message_id,omitempty"`
	CampaignID string `json:"campaign_id,omitempty"`
	Token      string `json:"token,omitempty"`
	URL        string `json:"url,omitempty"`
}

// MessageReceivedData is the data of MessageReceived.
type MessageReceivedData struct {
	Person
	ProviderMessageID string `json:"provider_message_id"`
	Provider          string `json:"provider"`
	NumberID          string `json:"number_id"`
	InReplyTo         string `json:"in_reply_to,omitempty"`
	MessageKind       string `json:"kind"`
	// TextChars is for a producer that may not pass on the text itself.
	TextChars *int64          `json:"text_chars,omitempty"`
	Text      string          `json:"text,omitempty"`
	Payload   string          `json:"payload,omitempty"`
	Referral  json.RawMessage `json:"referral,omitempty"`
}

// OrderCompletedData is the data of OrderCompleted.
type OrderCompletedData struct {
	Person
	OrderID  string `json:"order_id"`
	Amount   Amount `json:"amount"`
	Currency string `json:"currency"` // ISO 4217
	Items    []Item `json:"items,omitempty"`
	Coupon   string `json:"coupon,omitempty"`
}

// Item is one line of an order.
type Item struct {
	SKU      string   `json:"sku,omitempty"`
	ID       string   `json:"id,omitempty"`
	Name     string   `json:"name,omitempty"`
	Category string   `json:"category,omitempty"`
	Quantity *float64 `json:"quantity,omitempty"`
	// Price is of one, in the order's currency.
	Price *Amount `json:"price,omitempty"`
}

// OrderRefundedData is the data of OrderRefunded.
type OrderRefundedData struct {
	Person
	OrderID  string `json:"order_id"`
	Amount   Amount `json:"amount"` // more than zero
	Currency string `json:"currency"`
}

// CustomerUpdatedData is the data of CustomerUpdated.
type CustomerUpdatedData struct {
	Person
	TimeZone string   `json:"time_zone,omitempty"` // IANA
	Country  string   `json:"country,omitempty"`   // ISO 3166-1 alpha-2
	Language string   `json:"language,omitempty"`  // BCP 47
	Tags     []string `json:"tags,omitzero"`       // an empty, non-nil list says "none"
	Name     string   `json:"name,omitempty"`
}

// ConsentChangedData is the data of ConsentChanged.
type ConsentChangedData struct {
	Person
	Category string `json:"category"`
	State    string `json:"state"`
	Source   string `json:"source"`
	Evidence string `json:"evidence,omitempty"`
}

// IdentityUnlinkedData is the data of IdentityUnlinked.
type IdentityUnlinkedData struct {
	Person
	Source string `json:"source"`
}

// MessageAttemptedData is the data of MessageAttempted.
type MessageAttemptedData struct {
	Person
	MessageID         string   `json:"message_id"`
	AttemptID         string   `json:"attempt_id"`
	PlanID            string   `json:"plan_id,omitempty"`
	CampaignID        string   `json:"campaign_id,omitempty"`
	Template          string   `json:"template,omitempty"`
	Category          string   `json:"category"`
	Provider          string   `json:"provider"`
	NumberID          string   `json:"number_id"`
	ProviderMessageID string   `json:"provider_message_id,omitempty"`
	Outcome           string   `json:"outcome"`
	ErrorCode         string   `json:"error_code,omitempty"`
	ErrorClass        string   `json:"error_class,omitempty"`
	Rule              string   `json:"rule,omitempty"`
	Arm               string   `json:"arm,omitempty"`
	SendHourLocal     *int64   `json:"send_hour_local,omitempty"`
	TimeZone          string   `json:"time_zone,omitempty"`
	Propensity        *float64 `json:"propensity,omitempty"`
	PolicyID          string   `json:"policy_id,omitempty"`
	CostEstimate      *Amount  `json:"cost_estimate,omitempty"`
	RequestMS         *int64   `json:"request_ms,omitempty"`
	UploadMS          *int64   `json:"upload_ms,omitempty"`
	Content           *Content `json:"content,omitempty"`
}

// Content is what a sent message was made of.
type Content struct {
	Chars           *int64 `json:"chars,omitempty"`
	OpensWithName   *bool  `json:"opens_with_name,omitempty"`
	HasCallToAction *bool  `json:"has_call_to_action,omitempty"`
	HasLink         *bool  `json:"has_link,omitempty"`
	MediaKind       string `json:"media_kind,omitempty"`
}

// DecisionMadeData is the data of DecisionMade.
type DecisionMadeData struct {
	Person
	PlanID        string          `json:"plan_id"`
	CampaignID    string          `json:"campaign_id"`
	MessageID     string          `json:"message_id"`
	Stage         string          `json:"stage"`
	Verdict       string          `json:"verdict"`
	Rule          string          `json:"rule,omitempty"`
	DelayUntil    time.Time       `json:"delay_until,omitzero"`
	Arm           string          `json:"arm,omitempty"`
	SendHourLocal *int64          `json:"send_hour_local,omitempty"`
	TimeZone      string          `json:"time_zone,omitempty"`
	HourReason    string          `json:"hour_reason,omitempty"`
	Propensity    *float64        `json:"propensity,omitempty"`
	PolicyID      string          `json:"policy_id,omitempty"`
	Inputs        json.RawMessage `json:"inputs,omitempty"`
}

// Kind is MessageSent.
func (MessageSentData) Kind() Kind { return MessageSent }

// Kind is MessageDelivered.
func (MessageDeliveredData) Kind() Kind { return MessageDelivered }

// Kind is MessageFailed.
func (MessageFailedData) Kind() Kind { return MessageFailed }

// Kind is MessageRead.
func (MessageReadData) Kind() Kind { return MessageRead }

// Kind is LinkClicked.
func (LinkClickedData) Kind() Kind { return LinkClicked }

// Kind is MessageReceived.
func (MessageReceivedData) Kind() Kind { return MessageReceived }

// Kind is OrderCompleted.
func (OrderCompletedData) Kind() Kind { return OrderCompleted }

// Kind is OrderRefunded.
func (OrderRefundedData) Kind() Kind { return OrderRefunded }

// Kind is CustomerUpdated.
func (CustomerUpdatedData) Kind() Kind { return CustomerUpdated }

// Kind is ConsentChanged.
func (ConsentChangedData) Kind() Kind { return ConsentChanged }

// Kind is IdentityUnlinked.
func (IdentityUnlinkedData) Kind() Kind { return IdentityUnlinked }

// Kind is MessageAttempted.
func (MessageAttemptedData) Kind() Kind { return MessageAttempted }

// Kind is DecisionMade.
func (DecisionMadeData) Kind() Kind { return DecisionMade }
