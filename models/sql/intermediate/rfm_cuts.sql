/* goodhour
doc: >-
  The cut points of the RFM scores, and whether there are scores at all. A score is 1 plus the number of cut
  points that a value reaches, so equal values always score alike. A cut point is 1 above a quintile (type 7),
  as in the R package rfm, whose scores these are.
grain: []
checks:
  - accepted_values: {column: refusal, values: [too_few_buyers, too_short_history, no_recent_order]}
columns:
  refusal: "why nobody gets scores: too_few_buyers, too_short_history, no_recent_order; null where they do"
  buyer_count: "customers with an order"
  history_days: "days from the first order to as_of"
  quiet_days: "days from the last order to as_of"
  recency_1: "days since the last purchase from which recency scores 4"
  recency_2: "… 3"
  recency_3: "… 2"
  recency_4: "… 1"
  frequency_1: "orders from which frequency scores 2"
  frequency_2: "… 3"
  frequency_3: "… 4"
  frequency_4: "… 5"
  monetary_1: "spend in the reporting currency from which monetary scores 2"
  monetary_2: "… 3"
  monetary_3: "… 4"
  monetary_4: "… 5"
*/
with
quintiles as (
    select
        count(*) as buyer_count,
        getvariable('as_of')::date - min(customer_orders.first_purchased_on) as history_days,
        getvariable('as_of')::date - max(customer_orders.last_purchased_on) as quiet_days,
        quantile_cont(
            (getvariable('as_of')::date - customer_orders.last_purchased_on)::double, [0.2, 0.4, 0.6, 0.8]
        ) as recency,
        quantile_cont(customer_orders.order_count::double, [0.2, 0.4, 0.6, 0.8]) as frequency,
        quantile_cont(customer_orders.spend_amount::double, [0.2, 0.4, 0.6, 0.8]) as monetary
    from intermediate.customer_orders
)
select
    case
        when quintiles.buyer_count < settings.rfm_min_buyers or quintiles.buyer_count = 0 then 'too_few_buyers'
        when quintiles.history_days < settings.rfm_min_history_days then 'too_short_history'
        when quintiles.quiet_days > settings.rfm_max_quiet_days then 'no_recent_order'
    end as refusal,
    quintiles.buyer_count,
    quintiles.history_days,
    quintiles.quiet_days,
    quintiles.recency[1] + 1 as recency_1,
    quintiles.recency[2] + 1 as recency_2,
    quintiles.recency[3] + 1 as recency_3,
    quintiles.recency[4] + 1 as recency_4,
    quintiles.frequency[1] + 1 as frequency_1,
    quintiles.frequency[2] + 1 as frequency_2,
    quintiles.frequency[3] + 1 as frequency_3,
    quintiles.frequency[4] + 1 as frequency_4,
    quintiles.monetary[1] + 1 as monetary_1,
    quintiles.monetary[2] + 1 as monetary_2,
    quintiles.monetary[3] + 1 as monetary_3,
    quintiles.monetary[4] + 1 as monetary_4
from quintiles
cross join staging.settings
