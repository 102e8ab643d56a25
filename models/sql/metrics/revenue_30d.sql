/* goodhour
doc: >-
  Net revenue of the orders placed in the last 30 days, in the reporting currency. Orders whose value in it is
  unknown are left out. Late refunds restate it.
grain: [dimension]
columns:
  dimension: "all; first, a customer's first order; or repeat, any later one"
  value: "net revenue in the reporting currency"
  n: "orders"
*/
with
placed as (
    select
        orders.net_reporting_amount,
        case when orders.ordered_at = customers.first_purchased_at then 'first' else 'repeat' end as kind
    from staging.orders
    inner join marts.customers
        on customers.customer_id = orders.customer_id
    where
        orders.net_reporting_amount is not null
        and orders.ordered_at > getvariable('as_of')::timestamp - interval 30 day
)
select
    case when grouping(placed.kind) = 1 then 'all' else placed.kind end as dimension,
    coalesce(sum(placed.net_reporting_amount), 0) as value,
    count(*) as n
from placed
group by grouping sets ((), (placed.kind))
