/* goodhour
doc: The provider gave up on the message. A delivered or read that comes later wins.
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
  error_code: "the provider's error code"
  error_class: "goodhour's class of the error"
  occurred_at: "when it happened, UTC"
*/
select
    message_failed.ce_source as event_source,
    message_failed.ce_id as event_id,
    message_failed.identity_id,
    coalesce(identity_customers.customer_id, message_failed.identity_id) as customer_id,
    nullif(message_failed.message_id, '') as message_id,
    nullif(message_failed.provider_message_id, '') as provider_message_id,
    nullif(message_failed.provider, '') as provider,
    nullif(message_failed.number_id, '') as number_id,
    nullif(message_failed.campaign_id, '') as campaign_id,
    nullif(message_failed.error_code, '') as error_code,
    nullif(message_failed.error_class, '') as error_class,
    message_failed.ce_time as occurred_at
from raw.message_failed
left join staging.identity_customers
    on identity_customers.identity_id = message_failed.identity_id
where message_failed.ce_time <= (select as_of.as_of from staging.as_of)
