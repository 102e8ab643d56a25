/* goodhour
doc: 'An order was placed. One order may be reported several times: staging.orders has it once.'
grain: [event_source, event_id]
materialized: view
columns:
  event_source: "the producer of the event"
  event_id: "the event's id, unique within its source"
  identity_id: "the identifier that the event carried, as a pseudonym"
  customer_id: "the customer whose identifier that is"
  order_id: "the shop's id of the order"
  amount: "money in currency, at most 4 decimals"
  currency: "ISO 4217"
  items: "array of {sku, name, category, quantity, price}"
  coupon: "the coupon code redeemed"
  occurred_at: "when it happened, UTC"
*/
select
    order_completed.ce_source as event_source,
    order_completed.ce_id as event_id,
    order_completed.identity_id,
    coalesce(identity_customers.customer_id, order_completed.identity_id) as customer_id,
    nullif(order_completed.order_id, '') as order_id,
    order_completed.amount,
    nullif(order_completed.currency, '') as currency,
    order_completed.items,
    nullif(order_completed.coupon, '') as coupon,
    order_completed.ce_time as occurred_at
from raw.order_completed
left join staging.identity_customers
    on identity_customers.identity_id = order_completed.identity_id
where order_completed.ce_time <= (select as_of.as_of from staging.as_of)
