/* goodhour
doc: A system of record says something about a customer. What is null says nothing.
grain: [event_source, event_id]
materialized: view
columns:
  event_source: "the producer of the event"
  event_id: "the event's id, unique within its source"
  identity_id: "the identifier that the event carried, as a pseudonym"
  customer_id: "the customer whose identifier that is"
  time_zone: "IANA name"
  country: "ISO 3166-1 alpha-2"
  language: "BCP 47"
  tags: "the customer's tags"
  occurred_at: "when it happened, UTC"
*/
select
    customer_updated.ce_source as event_source,
    customer_updated.ce_id as event_id,
    customer_updated.identity_id,
    coalesce(identity_customers.customer_id, customer_updated.identity_id) as customer_id,
    nullif(customer_updated.time_zone, '') as time_zone,
    nullif(customer_updated.country, '') as country,
    nullif(customer_updated.language, '') as language,
    try_cast(customer_updated.tags as varchar[]) as tags,
    customer_updated.ce_time as occurred_at
from raw.customer_updated
left join staging.identity_customers
    on identity_customers.identity_id = customer_updated.identity_id
where customer_updated.ce_time <= (select as_of.as_of from staging.as_of)
