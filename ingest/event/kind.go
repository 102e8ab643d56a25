package event

import (
	"math"
	"strings"
)

// Kind is a type of event goodhour understands. The set is closed: a record of
// any other type is a dead letter.
type Kind uint8

// The kinds. The zero Kind is invalid.
const (
	MessageSent Kind = iota + 1
	MessageDelivered
	MessageFailed
	MessageRead
	LinkClicked
	MessageReceived
	OrderCompleted
	OrderRefunded
	CustomerUpdated
	ConsentChanged
	IdentityUnlinked
	MessageAttempted
	DecisionMade
	numKinds = iota + 1
)

// NumKinds is the length of an array indexed by Kind.
const NumKinds = numKinds

// Topic is a topic's name without the configurable prefix ("goodhour.").
type Topic string

// The topics. A kind belongs to exactly one of them; see [Kind.Topic].
const (
	TopicDelivery   Topic = "delivery"
	TopicRead       Topic = "read"
	TopicReply      Topic = "reply"
	TopicPurchase   Topic = "purchase"
	TopicCustomer   Topic = "customer"
	TopicSend       Topic = "send"
	TopicAccount    Topic = "account"
	TopicDeadLetter Topic = "deadletter"
)

// ColumnType is the type of a column, the same in JSON Schema, in Rows and in SQL.
type ColumnType uint8

// The column types and how each is stored in Rows and in DuckDB.
const (
	Text      ColumnType = iota + 1 // UTF-8 bytes; VARCHAR
	JSON                            // one valid JSON value, compact; JSON
	Int                             // int64; BIGINT
	Float                           // float64; DOUBLE
	Bool                            // BOOLEAN
	Decimal                         // fixed point, 4 decimals, int64 of ten-thousandths; DECIMAL(18,4)
	Timestamp                       // microseconds since the Unix epoch, UTC; TIMESTAMP
)

// Column describes one field of an event's data.
type Column struct {
	// Field is the path in the JSON data, dots between levels: "pricing.category".
	Field string
	// Name is the SQL column: Field with dots replaced by underscores.
	Name string
	Type ColumnType
	// Required: an event without it is a dead letter.
	Required bool
	// Personal: the value lies in pii.<table> only, never in raw.
	Personal bool
	// Enum, if set, is the closed set of accepted values (Text only).
	Enum []string
	// Form is a rule about the value beyond its type.
	Form Form
	// Range, if set, bounds the value, both ends included (Int and Float).
	Range *Range
	// Positive: zero is refused too (Decimal). Decimals are never negative.
	Positive bool
	// Doc says what the value means, with its unit. It becomes the JSON
	// Schema's description and the column's comment.
	Doc string
}

// Form is a rule about a value beyond its type.
type Form uint8

// The forms. A form that cuts something off keeps it in ExtraColumn.
const (
	FormAny      Form = iota
	FormCurrency      // Text: three capital letters
	// FormURL is Text: an http or https URL without user, query, fragment or a
	// path with an @, all of which may be personal. Another URL is null.
	FormURL
	// FormItems is JSON: an array of objects of which only the members in
	// ItemFields stay, where they are text, numbers, booleans or null.
	FormItems
	FormTags // JSON: an array of strings
	// FormMessageID is Text: a provider's id of a message, see StoredMessageID;
	// FormOwnMessageID keeps the original in ExtraColumn, to quote the message by.
	FormMessageID
	FormOwnMessageID
)

// Range is a closed interval.
type Range struct{ Min, Max float64 }

// ItemFields are the members of an order's item that raw keeps.
func ItemFields() []string {
	return []string{"sku", "id", "name", "category", "quantity", "price"}
}

// Spec is everything the project knows of a kind.
type Spec struct {
	Kind  Kind
	Type  string // CloudEvents type, "whatsapp.message.sent.v1"
	Topic Topic
	// Table is the name in schema raw, and in pii for the personal columns.
	Table string
	// Doc says when the event occurs and what it does not prove.
	Doc string
	// Identified: at least one identifier of a person is needed (subject or
	// one of phone, bsuid, email, external_ids in the data).
	Identified bool
	Columns    []Column
}

// Identifier fields that any person's event may carry in its data. They never
// become columns: each becomes an identity, and several of them a link.
const (
	FieldPhone       = "phone"
	FieldBSUID       = "bsuid"
	FieldEmail       = "email"
	FieldExternalIDs = "external_ids" // object: namespace -> key
)

// ExtraColumn holds, in pii.<table>, the data fields that the table above does
// not know, as one JSON object. Unknown fields may be personal, so they never
// reach raw.
const ExtraColumn = "extra"

func text(field, doc string) Column      { return Column{Field: field, Type: Text, Doc: doc} }
func jsonValue(field, doc string) Column { return Column{Field: field, Type: JSON, Doc: doc} }
func integer(field, doc string) Column   { return Column{Field: field, Type: Int, Doc: doc} }
func boolean(field, doc string) Column   { return Column{Field: field, Type: Bool, Doc: doc} }
func float(field, doc string) Column     { return Column{Field: field, Type: Float, Doc: doc} }
func decimal(field, doc string) Column   { return Column{Field: field, Type: Decimal, Doc: doc} }
func timestamp(field, doc string) Column { return Column{Field: field, Type: Timestamp, Doc: doc} }

func (c Column) required() Column { c.Required = true; return c }
func (c Column) personal() Column { c.Personal = true; return c }
func (c Column) oneOf(v ...string) Column {
	c.Enum = v
	return c
}

func (c Column) form(f Form) Column { c.Form = f; return c }
func (c Column) positive() Column   { c.Positive = true; return c }
func (c Column) upTo(high float64) Column {
	c.Range = &Range{Min: 0, Max: high}
	return c
}

// count marks a number of things, or of milliseconds.
func (c Column) count() Column { return c.upTo(math.MaxInt32) }

// Columns of everything that happens to one of our messages.
func messageColumns(more ...Column) []Column {
	return append([]Column{
		text("message_id", "goodhour's id of the message; empty for a message that another system sent"),
		text("provider_message_id", "the provider's id; of Meta's a hash, see StoredMessageID").form(FormMessageID),
		text("provider", "meta, twilio, messagebird, zenvia or sandbox").required(),
		text("number_id", "the sending number's id at the provider").required(),
		text("campaign_id", "the campaign that sent it"),
	}, more...)
}

func pricingColumns() []Column {
	return []Column{
		boolean("pricing.billable", "whether the provider says it bills the message"),
		text("pricing.category", "the provider's price category"),
		text("pricing.type", "regular, free_customer_service, free_entry_point"),
	}
}

func orderColumns(amount Column, more ...Column) []Column {
	return append([]Column{
		text("order_id", "the shop's id of the order; one order counts once, however it came").required(),
		amount.required(),
		text("currency", "ISO 4217, three capital letters").required().form(FormCurrency),
	}, more...)
}

var specs = withNames([numKinds]Spec{
	MessageSent: {
		Type: "whatsapp.message.sent.v1", Topic: TopicDelivery, Table: "message_sent", Identified: true,
		Doc:     "The provider handed the message to WhatsApp. It does not prove that a phone has it.",
		Columns: messageColumns(pricingColumns()...),
	},
	MessageDelivered: {
		Type: "whatsapp.message.delivered.v1", Topic: TopicDelivery, Table: "message_delivered", Identified: true,
		Doc:     "A device of the customer has the message. It may never come although the message was read.",
		Columns: messageColumns(pricingColumns()...),
	},
	MessageFailed: {
		Type: "whatsapp.message.failed.v1", Topic: TopicDelivery, Table: "message_failed", Identified: true,
		Doc: "The provider gave up. A delivered or read that comes later wins.",
		Columns: messageColumns(
			text("error_code", "the provider's error code"),
			text("error_class", "goodhour's class of the error"),
		),
	},
	MessageRead: {
		Type: "whatsapp.message.read.v1", Topic: TopicRead, Table: "message_read", Identified: true,
		Doc:     "The customer opened the chat with receipts on. Without receipts it never comes.",
		Columns: messageColumns(),
	},
	LinkClicked: {
		Type: "web.link.clicked.v1", Topic: TopicRead, Table: "link_clicked", Identified: true,
		Doc: "A tracked link of a message was opened; by the customer, or by whoever got it forwarded.",
		Columns: []Column{
			text("message_id", "the message that carried the link"),
			text("campaign_id", "the campaign that sent it"),
			text("token", "the link's token"),
			text("url", "the target without query and fragment, which may hold personal data").form(FormURL),
		},
	},
	MessageReceived: {
		Type: "whatsapp.message.received.v1", Topic: TopicReply, Table: "message_received", Identified: true,
		Doc: "The customer wrote, pressed a button or reacted. It opens the 24-hour window.",
		Columns: []Column{
			text("provider_message_id", "the provider's id of the inbound message; of Meta's a hash").required().form(FormOwnMessageID),
			text("provider", "meta, twilio, messagebird, zenvia or sandbox").required(),
			text("number_id", "the number that was written to").required(),
			text("in_reply_to", "the provider's id of the message answered; of Meta's a hash").form(FormMessageID),
			text("kind", "text, button, list, flow, image, video, audio, document, sticker, location, contacts, order, reaction, system, unsupported, other").required(),
			integer("text_chars", "length of the text in characters; computed from the text where absent").count(),
			text("text", "what the customer wrote").personal(),
			text("payload", "payload of a button or list row").personal(),
			jsonValue("referral", "the ad or post that the conversation began at").personal(),
		},
	},
	OrderCompleted: {
		Type: "commerce.order.completed.v1", Topic: TopicPurchase, Table: "order_completed", Identified: true,
		Doc: "An order was placed and counts as revenue.",
		Columns: orderColumns(
			decimal("amount", "money in the order's currency, at most 4 decimals; 0 for a gift"),
			jsonValue("items", "array of {sku, id, name, category, quantity, price}").form(FormItems),
			text("coupon", "the coupon code redeemed"),
		),
	},
	OrderRefunded: {
		Type: "commerce.order.refunded.v1", Topic: TopicPurchase, Table: "order_refunded", Identified: true,
		Doc: "Money of an order went back, all of it or a part; amount is positive.",
		Columns: orderColumns(
			decimal("amount", "money that went back, in the order's currency, at most 4 decimals").positive(),
		),
	},
	CustomerUpdated: {
		Type: "customer.updated.v1", Topic: TopicCustomer, Table: "customer_updated", Identified: true,
		Doc: "A system of record says something about a customer. A field that is absent says nothing.",
		Columns: []Column{
			text("time_zone", "IANA name"),
			text("country", "ISO 3166-1 alpha-2"),
			text("language", "BCP 47"),
			jsonValue("tags", "array of strings").form(FormTags),
			text("name", "the customer's name").personal(),
		},
	},
	ConsentChanged: {
		Type: "customer.consent.changed.v1", Topic: TopicCustomer, Table: "consent_changed", Identified: true,
		Doc: "A customer opted in to or out of a category of messages.",
		Columns: []Column{
			text("category", "what the consent covers").required().oneOf("marketing", "utility", "authentication", "all"),
			text("state", "opted_in or opted_out").required().oneOf("opted_in", "opted_out"),
			text("source", "who says so: inbound_message, provider_preference, import, crm, form, operator").required(),
			text("evidence", "where and how it was given").personal(),
		},
	},
	IdentityUnlinked: {
		Type: "customer.identity.unlinked.v1", Topic: TopicCustomer, Table: "identity_unlinked", Identified: true,
		Doc: "The identifiers it carries do not belong to one person (a recycled phone number, a mistyped key): " +
			"every direct link between two of them is void, whenever it was or will be seen.",
		Columns: []Column{text("source", "who says so: operator, crm, import, provider").required()},
	},
	MessageAttempted: {
		Type: "goodhour.message.attempted.v1", Topic: TopicSend, Table: "message_attempted", Identified: true,
		Doc: "The sender called the provider, or knows that it cannot know whether it did (outcome unknown).",
		Columns: []Column{
			text("message_id", "goodhour's id of the message").required(),
			text("attempt_id", "the claim's id; one message may have several after definite refusals").required(),
			text("plan_id", "the plan it belongs to"),
			text("campaign_id", "the campaign it belongs to"),
			text("template", "name and language of the template"),
			text("category", "marketing, utility, authentication or service").required(),
			text("provider", "meta, twilio, messagebird, zenvia or sandbox").required(),
			text("number_id", "the sending number's id at the provider").required(),
			text("provider_message_id", "the provider's id, where it gave one; of Meta's a hash").form(FormMessageID),
			text("outcome", "what is known").required().oneOf("accepted", "failed", "unknown"),
			text("error_code", "the provider's error code"),
			text("error_class", "goodhour's class of the error"),
			text("rule", "the rule that decided last"),
			text("arm", "treatment, holdout, control, time_holdout"),
			integer("send_hour_local", "hour of day 0–23 in the customer's zone").upTo(23),
			text("time_zone", "IANA name that send_hour_local was computed with"),
			float("propensity", "probability of this hour under the policy").upTo(1),
			text("policy_id", "version of the rules"),
			decimal("cost_estimate", "predicted cost in the account's currency"),
			integer("request_ms", "time the provider took to answer, milliseconds").count(),
			integer("upload_ms", "time a media upload took, milliseconds").count(),
			integer("content.chars", "characters of the text after the parameters").count(),
			boolean("content.opens_with_name", "the text begins with the customer's name"),
			boolean("content.has_call_to_action", "it has a button or an explicit request"),
			boolean("content.has_link", "it has a link"),
			text("content.media_kind", "none, image, video, document, location"),
		},
	},
	DecisionMade: {
		Type: "goodhour.decision.made.v1", Topic: TopicSend, Table: "decision_made", Identified: true,
		Doc: "The policy's verdict on a planned message, at planning or at the claim, when it changed.",
		Columns: []Column{
			text("plan_id", "the plan").required(),
			text("campaign_id", "the campaign").required(),
			text("message_id", "goodhour's id of the planned message").required(),
			text("stage", "when it was decided").required().oneOf("planning", "claim"),
			text("verdict", "what was decided").required().oneOf("allow", "delay", "suppress", "hold_out", "expire", "cancel"),
			text("rule", "the rule that decided; empty for allow"),
			timestamp("delay_until", "for delay: not before this instant"),
			text("arm", "treatment, holdout, control, time_holdout"),
			integer("send_hour_local", "hour of day 0–23 in the customer's zone").upTo(23),
			text("time_zone", "IANA name that send_hour_local was computed with"),
			text("hour_reason", "personal, segment, global, explore, default"),
			float("propensity", "probability of this hour under the policy").upTo(1),
			text("policy_id", "version of the rules"),
			jsonValue("inputs", "what the rule saw, no personal data"),
		},
	},
})

// withNames fills in what follows from the table.
func withNames(table [numKinds]Spec) [numKinds]Spec {
	for k := Kind(1); k < numKinds; k++ {
		s := &table[k]
		s.Kind = k
		for i := range s.Columns {
			s.Columns[i].Name = strings.ReplaceAll(s.Columns[i].Field, ".", "_")
		}
	}
	return table
}

// Spec returns what is known of a kind. It panics on an invalid kind.
func (k Kind) Spec() *Spec {
	if k == 0 || k >= numKinds {
		panic("event: invalid kind")
	}
	return &specs[k]
}

// String returns the CloudEvents type.
func (k Kind) String() string {
	if k == 0 || k >= numKinds {
		return "invalid"
	}
	return specs[k].Type
}

// TopicName returns the full name of the kind's topic. The prefix ends in its
// own dot: "goodhour.".
func (k Kind) TopicName(prefix string) string { return prefix + string(k.Spec().Topic) }

// KindOf returns the kind of a CloudEvents type.
func KindOf(ceType string) (Kind, bool) {
	for k := Kind(1); k < numKinds; k++ {
		if specs[k].Type == ceType {
			return k, true
		}
	}
	return 0, false
}

// Kinds returns all kinds in order.
func Kinds() []Kind {
	out := make([]Kind, 0, numKinds-1)
	for k := Kind(1); k < numKinds; k++ {
		out = append(out, k)
	}
	return out
}

// Column returns the position of a column by its SQL name, or -1.
func (s *Spec) Column(name string) int {
	for i := range s.Columns {
		if s.Columns[i].Name == name {
			return i
		}
	}
	return -1
}

// HasPersonal reports whether any declared column is personal. (Any kind may
// have personal extra fields.)
func (s *Spec) HasPersonal() bool {
	for i := range s.Columns {
		if s.Columns[i].Personal {
			return true
		}
	}
	return false
}
