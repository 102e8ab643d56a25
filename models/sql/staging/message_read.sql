/* goodhour
doc: The customer opened the chat with receipts on. Without receipts it never comes.
grain: [event_source, event_id]
materialized: view
columns:
  event_source: "the producer of the event"
  event_id: "the event's id, unique within its source"
  identity_id: "the identifier that the event carried, as a pseudonym"
  customer_id: "the customer whose identifier that is"
  message_id: "goodhour's id of the message; null for a message that another system sent"
  provider_message_id: "the provider's id (Meta: wamid)"
  provider: "meta, twilio, messagebird, zenvia or sandbox"
  number_id: "the business's number at the provider"
  campaign_id: "the campaign that sent it"
  occurred_at: "when it happened, UTC"
*/
select
    message_read.ce_source as event_source,
    message_read.ce_id as event_id,
    message_read.identity_id,
    coalesce(identity_customers.customer_id, message_read.identity_id) as customer_id,
    nullif(message_read.message_id, '') as message_id,
    nullif(message_read.provider_message_id, '') as provider_message_id,
    nullif(message_read.provider, '') as provider,
    nullif(message_read.number_id, '') as number_id,
    nullif(message_read.campaign_id, '') as campaign_id,
    message_read.ce_time as occurred_at
from raw.message_read
left join staging.identity_customers
    on identity_customers.identity_id = message_read.identity_id
where message_read.ce_time <= (select as_of.as_of from staging.as_of)
