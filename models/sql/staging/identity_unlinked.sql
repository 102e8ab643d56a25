/* goodhour
doc: Identifiers were found not to belong to one person. Its effect is in staging.identity_customers.
grain: [event_source, event_id]
materialized: view
columns:
  event_source: "the producer of the event"
  event_id: "the event's id, unique within its source"
  identity_id: "the identifier that the event carried, as a pseudonym"
  customer_id: "the customer whose identifier that is"
  source: "who says so: operator, crm, import, provider"
  occurred_at: "when it happened, UTC"
*/
select
    identity_unlinked.ce_source as event_source,
    identity_unlinked.ce_id as event_id,
    identity_unlinked.identity_id,
    coalesce(identity_customers.customer_id, identity_unlinked.identity_id) as customer_id,
    nullif(identity_unlinked.source, '') as source,
    identity_unlinked.ce_time as occurred_at
from raw.identity_unlinked
left join staging.identity_customers
    on identity_customers.identity_id = identity_unlinked.identity_id
where identity_unlinked.ce_time <= (select as_of.as_of from staging.as_of)
