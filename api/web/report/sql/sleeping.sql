-- Buyers who have gone cold, and what they came to.
select
    count(*) as customer_count,
    coalesce(sum(customers.spend_amount), 0)::double as spend_amount,
    any_value(settings.heat_cool_days)::bigint as cool_days
from marts.customers
cross join staging.settings
where
    customers.order_count > 0
    and customers.heat_class = 'cold'
