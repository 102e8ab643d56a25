/* goodhour
doc: The provider handed the message to WhatsApp. It does not prove that a phone has it.
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
    message_sent.ce_source as event_source,
    message_sent.ce_id as event_id,
    message_sent.identity_id,
    coalesce(identity_customers.customer_id, message_sent.identity_id) as customer_id,
    nullif(message_sent.message_id, '') as message_id,
    nullif(message_sent.provider_message_id, '') as provider_message_id,
    nullif(message_sent.provider, '') as provider,
    nullif(message_sent.number_id, '') as number_id,
    nullif(message_sent.campaign_id, '') as campaign_id,
    message_sent.pricing_billable,
    nullif(message_sent.pricing_category, '') as pricing_category,
    nullif(message_sent.pricing_type, '') as pricing_type,
    message_sent.ce_time as occurred_at
from raw.message_sent
left join staging.identity_customers
    on identity_customers.identity_id = message_sent.identity_id
where message_sent.ce_time <= (select as_of.as_of from staging.as_of)
