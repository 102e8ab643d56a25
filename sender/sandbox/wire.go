package sandbox

import "encoding/json"

// sendRequest is what Meta's messages API takes, as far as the sandbox looks.
type sendRequest struct {
	Product   string        `json:"messaging_product"`
	To        string        `json:"to"`
	Recipient string        `json:"recipient"`
	Type      string        `json:"type"`
	Callback  string        `json:"biz_opaque_callback_data"`
	Template  *sentTemplate `json:"template"`
	Text      *struct {
		Body string `json:"body"`
	} `json:"text"`
}

type sentTemplate struct {
	Name     string `json:"name"`
	Language struct {
		Code string `json:"code"`
	} `json:"language"`
	Components []sentComponent `json:"components"`
}

type sentComponent struct {
	Type    string `json:"type"`
	SubType string `json:"sub_type"`
	// Index is a text or a number.
	Index      json.RawMessage `json:"index"`
	Parameters []sentParameter `json:"parameters"`
}

type sentParameter struct {
	Type     string     `json:"type"`
	Name     string     `json:"parameter_name"`
	Text     *string    `json:"text"`
	Coupon   *string    `json:"coupon_code"`
	Image    *sentMedia `json:"image"`
	Video    *sentMedia `json:"video"`
	Document *sentMedia `json:"document"`
}

type sentMedia struct {
	Link string `json:"link"`
}

// sendAnswer is Meta's answer to an accepted message.
type sendAnswer struct {
	Product  string          `json:"messaging_product"`
	Contacts []answerContact `json:"contacts"`
	Messages []answerMessage `json:"messages"`
}

type answerContact struct {
	Input      string `json:"input"`
	WhatsAppID string `json:"wa_id,omitempty"`
	UserID     string `json:"user_id,omitempty"`
}

type answerMessage struct {
	ID     string `json:"id"`
	Status string `json:"message_status,omitempty"` // of templates only
}

// The webhook's envelope and what is in it.
type wireHook struct {
	Object string      `json:"object"`
	Entry  []wireEntry `json:"entry"`
}

type wireEntry struct {
	ID      string       `json:"id"`
	Changes []wireChange `json:"changes"`
}

type wireChange struct {
	Field string    `json:"field"`
	Value wireValue `json:"value"`
}

type wireValue struct {
	Product     string           `json:"messaging_product"`
	Metadata    wireMetadata     `json:"metadata"`
	Contacts    []wireContact    `json:"contacts,omitempty"`
	Messages    []wireMessage    `json:"messages,omitempty"`
	Statuses    []wireStatus     `json:"statuses,omitempty"`
	Preferences []wirePreference `json:"user_preferences,omitempty"`
}

type wireMetadata struct {
	Display  string `json:"display_phone_number"`
	NumberID string `json:"phone_number_id"`
}

type wireContact struct {
	Profile    *wireProfile `json:"profile,omitempty"`
	WhatsAppID string       `json:"wa_id,omitempty"`
	UserID     string       `json:"user_id,omitempty"`
}

type wireProfile struct {
	Name string `json:"name"`
}

type wireMessage struct {
	From       string           `json:"from,omitempty"`
	FromUserID string           `json:"from_user_id,omitempty"`
	ID         string           `json:"id"`
	Timestamp  string           `json:"timestamp"`
	Type       string           `json:"type"`
	Text       *wireText        `json:"text,omitempty"`
	Button     *wireButtonReply `json:"button,omitempty"`
	Context    *wireContext     `json:"context,omitempty"`
}

type wireText struct {
	Body string `json:"body"`
}

type wireButtonReply struct {
	Payload string `json:"payload"`
	Text    string `json:"text"`
}

type wireContext struct {
	From string `json:"from"`
	ID   string `json:"id"`
}

type wireStatus struct {
	ID              string       `json:"id"`
	Status          string       `json:"status"`
	Timestamp       string       `json:"timestamp"`
	RecipientID     string       `json:"recipient_id,omitempty"`
	RecipientUserID string       `json:"recipient_user_id,omitempty"`
	Callback        string       `json:"biz_opaque_callback_data,omitempty"`
	Pricing         *wirePricing `json:"pricing,omitempty"`
	Errors          []wireFault  `json:"errors,omitempty"`
}

type wirePricing struct {
	Billable bool   `json:"billable"`
	Model    string `json:"pricing_model"`
	Type     string `json:"type"`
	Category string `json:"category"`
}

type wireFault struct {
	Code    int    `json:"code"`
	Title   string `json:"title"`
	Message string `json:"message"`
	Data    struct {
		Details string `json:"details"`
	} `json:"error_data"`
	Href string `json:"href"`
}

type wirePreference struct {
	WhatsAppID string `json:"wa_id,omitempty"`
	UserID     string `json:"user_id,omitempty"`
	Detail     string `json:"detail"`
	Category   string `json:"category"`
	Value      string `json:"value"`
	Timestamp  int64  `json:"timestamp"`
}
