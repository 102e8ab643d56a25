/* goodhour
doc: A device of the customer has the message. It may never come although the message was read.
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
  pricing_billable: "whether the provider says that it bills the message"
  pricing_category: "the provider's price category"
  pricing_type: "regular, free_customer_service, free_entry_point"
  occurred_at: "when it happened, UTC"
*/
select
    message_delivered.ce_source as event_source,
    message_delivered.ce_id as event_id,
    message_delivered.identity_id,
    coalesce(identity_customers.customer_id, message_delivered.identity_id) as customer_id,
    nullif(message_delivered.message_id, '') as message_id,
    nullif(message_delivered.provider_message_id, '') as provider_message_id,
    nullif(message_delivered.provider, '') as provider,
    nullif(message_delivered.number_id, '') as number_id,
    nullif(message_delivered.campaign_id, '') as campaign_id,
    message_delivered.pricing_billable,
    nullif(message_delivered.pricing_category, '') as pricing_category,
    nullif(message_delivered.pricing_type, '') as pricing_type,
    message_delivered.ce_time as occurred_at
from raw.message_delivered
left join staging.identity_customers
    on identity_customers.identity_id = message_delivered.identity_id
where message_delivered.ce_time <= (select as_of.as_of from staging.as_of)
