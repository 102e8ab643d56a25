/* goodhour
doc: >-
  Every customer to whom a marketing message may be sent.
grain: [customer_id]
checks:
  - not_null: [score, reason]
  - rows_match: {relation: marts.customers, on: [customer_id]}
columns:
  customer_id: "the customer"
  external_id: "the caller's own key"
  score: "heat_score: the most engaged first"
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
    customers.heat_score as score,
    'opted in to marketing, ' || customers.heat_class as reason,
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
where customers.is_reachable
