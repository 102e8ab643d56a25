package fileimport

import (
	"cmp"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
)

// moment is one thing that happened to the message of a row.
type moment struct {
	status status
	time   time.Time
}

func (b *builder) buildMessage(values []string, row *built) Reason {
	provider, number := b.cells["provider"].of(values), b.cells["number_id"].of(values)
	switch {
	case provider == "":
		return reasonNoProvider
	case number == "":
		return reasonNoNumber
	}
	messageID := b.cells["provider_message_id"].of(values)
	if messageID == "" && b.cells["provider_message_id"].mapped() {
		return reasonNoMessageID
	}
	if len(messageID) > 512 {
		return reasonLongOrderID
	}
	perStatus := b.cells["status"].mapped()
	why := b.readMoments(values, row, perStatus)
	if why != "" {
		return why
	}
	if messageID != "" {
		row.name = "message:" + b.options.Source + ":" + messageID
	}
	campaign := b.cells["campaign"].of(values)
	row.identity = []string{row.person.subject, provider, number, campaign}
	row.drafts = b.drafts[:0]
	message := event.Message{ProviderMessageID: messageID, Provider: provider, NumberID: number, CampaignID: campaign}
	for _, m := range b.moments {
		row.identity = append(row.identity, m.status.String(), m.time.Format(timeLayout))
		d := draft{kind: m.status.kind(), time: m.time, suffix: ":" + m.status.String()}
		switch {
		case m.status != statusReceived:
			d.data = messageData(m.status, row.person.identifiers(), message, b.cells["error_code"].of(values))
		case perStatus:
			data := receivedData(row.person.identifiers(), message, b.cells["text"].of(values))
			d.data = func(string) event.Data { return data }
		default:
			d.data = answerData(row.person.identifiers(), message, b.cells["text"].of(values))
		}
		row.drafts = append(row.drafts, d)
	}
	if perStatus && row.name != "" {
		// Each status of a message is a row of its own.
		row.name += row.drafts[0].suffix
		row.drafts[0].suffix = ""
	}
	return ""
}

// messageData is what happened to a message that was sent. One without an id
// gets the row's: its events belong together.
func messageData(s status, who event.Person, message event.Message, errorCode string) func(string) event.Data {
	return func(rowID string) event.Data {
		message.ProviderMessageID = cmp.Or(message.ProviderMessageID, rowID)
		switch s {
		case statusSent:
			return event.MessageSentData{Person: who, Message: message}
		case statusDelivered:
			return event.MessageDeliveredData{Person: who, Message: message}
		case statusRead:
			return event.MessageReadData{Person: who, Message: message}
		default:
			return event.MessageFailedData{Person: who, Message: message, ErrorCode: errorCode}
		}
	}
}

// receivedData is a message that a customer wrote, with an id of its own.
func receivedData(who event.Person, message event.Message, text string) event.MessageReceivedData {
	data := event.MessageReceivedData{
		Person: who, ProviderMessageID: message.ProviderMessageID, Provider: message.Provider, NumberID: message.NumberID,
		MessageKind: "other", Text: text,
	}
	if text != "" {
		data.MessageKind = "text"
	}
	return data
}

// answerData is the customer's answer to the message of the row. The file has
// no id of the answer itself.
func answerData(who event.Person, message event.Message, text string) func(string) event.Data {
	data := receivedData(who, message, text)
	return func(rowID string) event.Data {
		data.InReplyTo = cmp.Or(message.ProviderMessageID, rowID)
		data.ProviderMessageID = rowID + ":" + statusReceived.String()
		return data
	}
}

// readMoments finds what the row says has happened, in the order of a
// message's life.
func (b *builder) readMoments(values []string, row *built, perStatus bool) Reason {
	b.moments = b.moments[:0]
	if perStatus {
		text := b.cells["status"].of(values)
		if text == "" {
			return reasonNoStatus
		}
		s, ok := readStatus(text)
		if !ok {
			return reasonStatus
		}
		t, why := b.readTime(b.time, values, row)
		b.moments = append(b.moments, moment{s, t})
		return why
	}
	for i, s := range []status{statusSent, statusDelivered, statusRead, statusReceived, statusFailed} {
		c := b.cells[momentFields[i]]
		if c.of(values) == "" {
			continue
		}
		t, why := b.readTime(c, values, row)
		if why != "" {
			return why
		}
		b.moments = append(b.moments, moment{s, t})
	}
	if len(b.moments) == 0 {
		return reasonNoMoment
	}
	return ""
}

func (s status) kind() event.Kind {
	switch s {
	case statusSent:
		return event.MessageSent
	case statusDelivered:
		return event.MessageDelivered
	case statusRead:
		return event.MessageRead
	case statusReceived:
		return event.MessageReceived
	default:
		return event.MessageFailed
	}
}
