/* goodhour
doc: 'Money of an order went back. One refund may be reported several times: staging.refunds has it once.'
grain: [event_source, event_id]
materialized: view
columns:
  event_source: "the producer of the event"
  event_id: "the event's id, unique within its source"
  identity_id: "the identifier that the event carried, as a pseudonym"
  customer_id: "the customer whose identifier that is"
  order_id: "the shop's id of the order"
  amount: "money that went back, in currency, positive, at most 4 decimals"
  currency: "ISO 4217"
  occurred_at: "when it happened, UTC"
*/
select
    order_refunded.ce_source as event_source,
    order_refunded.ce_id as event_id,
    order_refunded.identity_id,
    coalesce(identity_customers.customer_id, order_refunded.identity_id) as customer_id,
    nullif(order_refunded.order_id, '') as order_id,
    order_refunded.amount,
    nullif(order_refunded.currency, '') as currency,
    order_refunded.ce_time as occurred_at
from raw.order_refunded
left join staging.identity_customers
    on identity_customers.identity_id = order_refunded.identity_id
where order_refunded.ce_time <= (select as_of.as_of from staging.as_of)
