/* goodhour
doc: The sizes of the segments value × frequency × heat. They add up to all customers.
grain: [value_segment, frequency_segment, heat_class]
checks:
  - expression: "reachable_count <= customer_count and customer_count > 0"
columns:
  value_segment: "low, mid, high, unknown"
  frequency_segment: "monthly, quarterly, occasional, lapsed, one_time, none"
  heat_class: "hot, warm, cool, cold, never, new"
  customer_count: "customers"
  reachable_count: "of those, customers to whom a marketing message may be sent"
  order_count: "their orders"
  unvalued_order_count: "orders whose value in currency is unknown; their customers' spend is left out of spend_amount"
  spend_amount: "their net revenue, in currency"
  average_order_value_amount: "spend_amount per order of the customers whose spend is known, in currency; null without orders"
  currency: "the reporting currency, ISO 4217"
*/
select
    customers.value_segment,
    customers.frequency_segment,
    customers.heat_class,
    count(*) as customer_count,
    count_if(customers.is_reachable) as reachable_count,
    sum(customers.order_count)::bigint as order_count,
    sum(customers.unvalued_order_count)::bigint as unvalued_order_count,
    coalesce(sum(customers.spend_amount), 0) as spend_amount,
    (
        sum(customers.spend_amount)
        / nullif(sum(customers.order_count) filter (where customers.spend_amount is not null), 0)
    )::decimal(18, 4) as average_order_value_amount,
    any_value(customers.currency) as currency
from marts.customers
group by customers.value_segment, customers.frequency_segment, customers.heat_class
