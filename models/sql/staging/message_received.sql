/* goodhour
doc: The customer wrote, pressed a button or reacted, or the platform said something about the chat.
grain: [event_source, event_id]
materialized: view
columns:
  event_source: "the producer of the event"
  event_id: "the event's id, unique within its source"
  identity_id: "the identifier that the event carried, as a pseudonym"
  customer_id: "the customer whose identifier that is"
  provider_message_id: "the provider's id of the inbound message"
  provider: "meta, twilio, messagebird, zenvia or sandbox"
  number_id: "the business's number that was written to"
  in_reply_to: "the provider's id of the message answered"
  kind: "text, button, list, flow, image, video, audio, document, sticker, location, contacts, order, reaction, system, unsupported, other"
  text_chars: "length of the text, characters"
  occurred_at: "when it happened, UTC"
*/
select
    message_received.ce_source as event_source,
    message_received.ce_id as event_id,
    message_received.identity_id,
    coalesce(identity_customers.customer_id, message_received.identity_id) as customer_id,
    nullif(message_received.provider_message_id, '') as provider_message_id,
    nullif(message_received.provider, '') as provider,
    nullif(message_received.number_id, '') as number_id,
    nullif(message_received.in_reply_to, '') as in_reply_to,
    nullif(message_received.kind, '') as kind,
    message_received.text_chars,
    message_received.ce_time as occurred_at
from raw.message_received
left join staging.identity_customers
    on identity_customers.identity_id = message_received.identity_id
where message_received.ce_time <= (select as_of.as_of from staging.as_of)
