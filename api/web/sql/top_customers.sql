-- The customers with the highest heat among those that can be reached, $1 of
-- them: somewhere to begin.
select
    customers.customer_id::varchar as customer_id,
    customers.external_id,
    customers.heat_score,
    customers.heat_class,
    customers.value_segment,
    customers.frequency_segment,
    customers.order_count,
    customers.spend_amount,
    customers.currency,
    customers.last_engaged_at
from marts.customers
order by customers.heat_score desc nulls last, customers.customer_id
limit $1::bigint
