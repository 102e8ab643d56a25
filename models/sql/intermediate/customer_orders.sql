/* goodhour
doc: One row per customer with an order. A purchase day is a day (UTC) with at least one order.
grain: [customer_id]
checks:
  - expression: "order_count >= purchase_day_count and purchase_day_count >= 1"
  - expression: "last_purchased_on >= first_purchased_on"
columns:
  customer_id: "the customer"
  order_count: "orders, those of value 0 and those fully refunded included"
  purchase_day_count: "days with at least one order"
  unvalued_order_count: "orders whose value in currency is unknown: no rate, or a refund in another currency"
  spend_amount: "net revenue in currency; null where any order's value is unknown"
  refund_amount: "what went back, in currency; null where any order's value is unknown"
  currency: "the reporting currency, ISO 4217"
  purchase_gap_days: "mean days between purchase days; null with one"
  first_purchased_on: "first purchase day"
  last_purchased_on: "last purchase day"
  first_purchased_at: "first order, UTC"
  last_purchased_at: "last order, UTC"
*/
with
orders as (
    select
        orders.customer_id,
        count(*) as order_count,
        count(distinct orders.ordered_at::date) as purchase_day_count,
        count(*) - count(orders.net_reporting_amount) as unvalued_order_count,
        sum(orders.net_reporting_amount) as spend_amount,
        sum((orders.amount - orders.net_amount) * currencies.rate) as refund_amount,
        any_value(orders.reporting_currency) as currency,
        min(orders.ordered_at) as first_purchased_at,
        max(orders.ordered_at) as last_purchased_at
    from staging.orders
    inner join staging.currencies
        on currencies.currency = orders.currency
    group by orders.customer_id
)
select
    orders.customer_id,
    orders.order_count,
    orders.purchase_day_count,
    orders.unvalued_order_count,
    case when orders.unvalued_order_count = 0 then orders.spend_amount end as spend_amount,
    case when orders.unvalued_order_count = 0 then orders.refund_amount::decimal(38, 4) end as refund_amount,
    orders.currency,
    case
        when orders.purchase_day_count > 1
            then (orders.last_purchased_at::date - orders.first_purchased_at::date) / (orders.purchase_day_count - 1)
    end as purchase_gap_days,
    orders.first_purchased_at::date as first_purchased_on,
    orders.last_purchased_at::date as last_purchased_on,
    orders.first_purchased_at,
    orders.last_purchased_at
from orders
