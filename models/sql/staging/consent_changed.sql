/* goodhour
doc: 'A customer opted in to or out of a category of messages. What holds in the end: intermediate.customer_consents.'
grain: [event_source, event_id]
materialized: view
columns:
  event_source: "the producer of the event"
  event_id: "the event's id, unique within its source"
  identity_id: "the identifier that the event carried, as a pseudonym"
  customer_id: "the customer whose identifier that is"
  category: "what the consent covers: marketing, utility, authentication, all"
  state: "opted_in or opted_out"
  source: "who says so: inbound_message, provider_preference, import, crm, form, operator"
  occurred_at: "when it happened, UTC"
*/
select
    consent_changed.ce_source as event_source,
    consent_changed.ce_id as event_id,
    consent_changed.identity_id,
    coalesce(identity_customers.customer_id, consent_changed.identity_id) as customer_id,
    nullif(consent_changed.category, '') as category,
    nullif(consent_changed.state, '') as state,
    nullif(consent_changed.source, '') as source,
    consent_changed.ce_time as occurred_at
from raw.consent_changed
left join staging.identity_customers
    on identity_customers.identity_id = consent_changed.identity_id
where consent_changed.ce_time <= (select as_of.as_of from staging.as_of)
