/* goodhour
doc: One row per customer whom any event up to as_of names.
grain: [customer_id]
columns:
  customer_id: "the customer"
  first_seen_at: "the first event that names the customer, UTC"
*/
with
sightings as (
    select customer_messages.customer_id, customer_messages.first_known_at as seen_at
    from intermediate.customer_messages
    union all
    select message_attempted.customer_id, message_attempted.occurred_at
    from staging.message_attempted
    union all
    select message_received.customer_id, message_received.occurred_at
    from staging.message_received
    union all
    select link_clicked.customer_id, link_clicked.occurred_at
    from staging.link_clicked
    union all
    select order_completed.customer_id, order_completed.occurred_at
    from staging.order_completed
    union all
    select order_refunded.customer_id, order_refunded.occurred_at
    from staging.order_refunded
    union all
    select customer_attributes.customer_id, customer_attributes.first_updated_at
    from intermediate.customer_attributes
    union all
    select customer_consents.customer_id, customer_consents.first_consent_at
    from intermediate.customer_consents
    union all
    select decision_made.customer_id, decision_made.occurred_at
    from staging.decision_made
    union all
    select identity_unlinked.customer_id, identity_unlinked.occurred_at
    from staging.identity_unlinked
)
select sightings.customer_id, min(sightings.seen_at) as first_seen_at
from sightings
where sightings.customer_id is not null
group by sightings.customer_id
