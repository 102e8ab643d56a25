/* goodhour
doc: >-
  Customers who bought and went quiet: no engagement within heat_warm_days (30), and the next purchase is overdue by the customer's own rhythm, or, after a single one, over win_back_quiet_days (90) ago.
grain: [customer_id]
checks:
  - not_null: [score, reason]
  - rows_match: {relation: marts.customers, on: [customer_id]}
columns:
  customer_id: "the customer"
  external_id: "the caller's own key"
  score: "net revenue so far: the most to win back first; 0 where it is unknown"
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
    coalesce(customers.spend_amount, 0)::double as score,
    format(
        'orders: {}, the last {} days ago, {}',
        customers.order_count,
        datediff('day', customers.last_purchased_at, customers.model_as_of),
        customers.frequency_segment
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
cross join staging.settings
where
    customers.is_reachable
    and customers.heat_class in ('cool', 'cold')
    and (
        customers.frequency_segment = 'lapsed'
        or (
            customers.frequency_segment = 'one_time'
            and customers.last_purchased_at < customers.model_as_of - to_days(settings.win_back_quiet_days)
        )
    )
