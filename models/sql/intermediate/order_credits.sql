/* goodhour
doc: >-
  One row per order that a message is credited with: the last marketing message (or one of unknown category)
  that reached the customer within conversion_days before the order. Credited is not caused.
grain: [shop, order_id]
checks:
  - not_null: [message_key]
  - rows_match: {relation: intermediate.message_statuses, on: [message_key]}
  - expression: "ordered_at >= reached_at"
columns:
  shop: "the shop that order_id belongs to; empty where there is one"
  order_id: "the shop's id of the order"
  message_key: "the message credited"
  net_reporting_amount: "the order's net value in the reporting currency; null where it is unknown"
  reached_at: "when the message reached the customer, UTC"
  ordered_at: "when the order was placed, UTC"
*/
-- Both sides by spans of conversion_days: what lies within conversion_days before
-- an instant is in the instant's span or the one before, so that a customer's
-- long history is not compared with itself.
with
orders as (
    select
        orders.shop,
        orders.order_id,
        orders.customer_id,
        orders.net_reporting_amount,
        orders.ordered_at,
        orders.ordered_at - to_days(settings.conversion_days) as since,
        unnest([
            epoch_us(orders.ordered_at) // (settings.conversion_days * 86_400_000_000),
            epoch_us(orders.ordered_at) // (settings.conversion_days * 86_400_000_000) - 1
        ]) as span
    from staging.orders
    cross join staging.settings
),
reached as (
    select
        message_statuses.message_key,
        message_statuses.customer_id,
        message_statuses.pricing_category,
        message_statuses.reached_at,
        epoch_us(message_statuses.reached_at) // (settings.conversion_days * 86_400_000_000) as span
    from intermediate.message_statuses
    cross join staging.settings
    where message_statuses.reached_at is not null
),
touches as (
    select
        orders.shop,
        orders.order_id,
        reached.message_key,
        reached.pricing_category,
        orders.net_reporting_amount,
        reached.reached_at,
        orders.ordered_at
    from orders
    inner join reached
        on reached.customer_id = orders.customer_id
        and reached.span = orders.span
        and reached.reached_at between orders.since and orders.ordered_at
),
categories as (
    select message_attempted.message_id, min(message_attempted.category) as category
    from staging.message_attempted
    semi join touches
        on touches.message_key = message_attempted.message_id
    group by message_attempted.message_id
)
select
    touches.shop,
    touches.order_id,
    touches.message_key,
    touches.net_reporting_amount,
    touches.reached_at,
    touches.ordered_at
from touches
left join categories
    on categories.message_id = touches.message_key
-- A notice about an order, a code or an answer did not advertise anything.
where
    coalesce(categories.category, touches.pricing_category, 'marketing') not in ('utility', 'authentication', 'service')
qualify
    row_number() over (
        partition by touches.shop, touches.order_id
        order by touches.reached_at desc, touches.message_key asc
    ) = 1
