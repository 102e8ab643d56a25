/* goodhour
doc: >-
  Customers whose average order is high and who engaged within heat_hot_days (7): the ones for news of products.
grain: [customer_id]
checks:
  - not_null: [score, reason]
  - rows_match: {relation: marts.customers, on: [customer_id]}
columns:
  customer_id: "the customer"
  external_id: "the caller's own key"
  score: "average order value: the most valuable first"
  reason: "why the customer is on the list"
  country: "template parameter: ISO 3166-1 alpha-2"
  language: "template parameter: BCP 47"
  time_zone: "template parameter: IANA name"
  value_segment: "template parameter: low, mid, high, unknown"
  frequency_segment: "template parameter: monthly, quarterly, occasional, lapsed, one_time, none"
  heat_class: "template parameter: hot, warm, cool, cold, never, new"
  order_count: "template parameter: orders so far"
  average_order_value_amount: "template parameter: net revenue per order, in currency"
  currency: "template parameter: the reporting currency, ISO 4217"
  last_purchased_on: "template parameter: day (UTC) of the last order"
*/
select
    customers.customer_id,
    customers.external_id,
    customers.average_order_value_amount::double as score,
    format(
        'average order {} {}, last active {} days ago',
        customers.average_order_value_amount::decimal(18, 2)::varchar,
        customers.currency,
        datediff('day', customers.last_engaged_at, customers.model_as_of)
    ) as reason,
    customers.country,
    customers.language,
    customers.time_zone,
    customers.value_segment,
    customers.frequency_segment,
    customers.heat_class,
    customers.order_count,
    customers.average_order_value_amount,
    customers.currency,
    customers.last_purchased_at::date as last_purchased_on
from marts.customers
anti join staging.later_opt_outs
    on later_opt_outs.customer_id = customers.customer_id
where
    customers.is_reachable
    and customers.value_segment = 'high'
    and customers.heat_class = 'hot'
