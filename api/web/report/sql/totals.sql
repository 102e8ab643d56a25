-- Everybody, and what they came to.
select
    count(*) as customer_count,
    count(*) filter (where customers.order_count > 0) as buyer_count,
    count(*) filter (where customers.purchase_day_count > 1) as repeat_count,
    coalesce(sum(customers.order_count), 0)::bigint as order_count,
    coalesce(sum(customers.unvalued_order_count), 0)::bigint as unvalued_order_count,
    coalesce(sum(customers.spend_amount), 0)::double as spend_amount,
    coalesce(any_value(customers.currency), '') as currency,
    min(customers.first_purchased_at) as first_purchased_at,
    max(customers.last_purchased_at) as last_purchased_at
from marts.customers
