-- The $1 customers who spent most: of all, or ($2) of those who have gone cold.
select
    coalesce(customers.external_id, customers.customer_id::varchar) as own_key,
    coalesce(customers.spend_amount, 0)::double as spend_amount,
    customers.order_count,
    customers.last_purchased_at,
    customers.frequency_segment,
    customers.heat_class
from marts.customers
where
    customers.order_count > 0
    and (customers.heat_class = 'cold' or not $2::boolean)
order by customers.spend_amount desc nulls last, customers.customer_id
limit $1::bigint
