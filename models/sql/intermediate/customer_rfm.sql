/* goodhour
doc: >-
  The RFM scores of each customer with an order, and the segment that they name. The ten segments and their bounds
  are those of the R package rfm, the first that holds; its bounds leave ten of the 125 combinations unnamed: other.
grain: [customer_id]
checks:
  - accepted_values: {column: rfm_segment, values: [champions, potential_loyalist, loyal, promising, new, cant_lose, at_risk, need_attention, about_to_sleep, lost, other]}
  - expression: "recency_score between 1 and 5 and frequency_score between 1 and 5 and coalesce(monetary_score, 1) between 1 and 5 or recency_score is null"
columns:
  customer_id: "the customer"
  recency_score: "1 to 5, 5 the most recent fifth; null where there are no scores (intermediate.rfm_cuts says why)"
  frequency_score: "1 to 5, 5 the most orders"
  monetary_score: "1 to 5, 5 the most spend; null where spend is unknown"
  rfm_segment: "champions, potential_loyalist, loyal, promising, new, cant_lose, at_risk, need_attention, about_to_sleep, lost or other; null without all three scores"
*/
with
scores as (
    select
        customer_orders.customer_id,
        5
        - (getvariable('as_of')::date - customer_orders.last_purchased_on >= rfm_cuts.recency_1)::integer
        - (getvariable('as_of')::date - customer_orders.last_purchased_on >= rfm_cuts.recency_2)::integer
        - (getvariable('as_of')::date - customer_orders.last_purchased_on >= rfm_cuts.recency_3)::integer
        - (getvariable('as_of')::date - customer_orders.last_purchased_on >= rfm_cuts.recency_4)::integer
            as recency_score,
        1
        + (customer_orders.order_count >= rfm_cuts.frequency_1)::integer
        + (customer_orders.order_count >= rfm_cuts.frequency_2)::integer
        + (customer_orders.order_count >= rfm_cuts.frequency_3)::integer
        + (customer_orders.order_count >= rfm_cuts.frequency_4)::integer as frequency_score,
        1
        + (customer_orders.spend_amount >= rfm_cuts.monetary_1)::integer
        + (customer_orders.spend_amount >= rfm_cuts.monetary_2)::integer
        + (customer_orders.spend_amount >= rfm_cuts.monetary_3)::integer
        + (customer_orders.spend_amount >= rfm_cuts.monetary_4)::integer as monetary_score
    from intermediate.customer_orders
    cross join intermediate.rfm_cuts
    where rfm_cuts.refusal is null
)
select
    customer_orders.customer_id,
    scores.recency_score,
    scores.frequency_score,
    scores.monetary_score,
    case
        when scores.recency_score is null or scores.monetary_score is null then null
        when scores.recency_score = 5 and scores.frequency_score = 5 and scores.monetary_score = 5 then 'champions'
        when scores.recency_score >= 3 and scores.frequency_score >= 3 and scores.monetary_score >= 2
            then 'potential_loyalist'
        when
            scores.recency_score between 2 and 4
            and scores.frequency_score between 2 and 4
            and scores.monetary_score between 2 and 4
            then 'loyal'
        when
            scores.recency_score between 3 and 4 and scores.frequency_score <= 3 and scores.monetary_score >= 3
            then 'promising'
        when scores.recency_score >= 4 and scores.frequency_score <= 3 then 'new'
        when
            scores.recency_score <= 2 and scores.frequency_score between 3 and 4 and scores.monetary_score >= 4
            then 'cant_lose'
        when scores.recency_score <= 2 and scores.frequency_score >= 2 and scores.monetary_score >= 4 then 'at_risk'
        when scores.recency_score <= 3 and scores.frequency_score >= 3 and scores.monetary_score >= 3
            then 'need_attention'
        when
            scores.recency_score between 2 and 3 and scores.frequency_score <= 3 and scores.monetary_score <= 4
            then 'about_to_sleep'
        when scores.recency_score = 1 then 'lost'
        else 'other'
    end as rfm_segment
from intermediate.customer_orders
left join scores
    on scores.customer_id = customer_orders.customer_id
