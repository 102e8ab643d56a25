-- The customers in a few figures.
select
    count(*) as customer_count,
    count(*) filter (where customers.is_reachable) as reachable_count,
    count(*) filter (where customers.last_engaged_at >= getvariable('as_of')::timestamp - interval 30 day) as active_count,
    count(*) filter (where customers.unreachable_reason = 'no_phone_or_bsuid') as no_address_count,
    count(*) filter (where customers.unreachable_reason = 'opted_out') as opted_out_count,
    count(*) filter (where customers.unreachable_reason = 'no_consent') as no_consent_count,
    count(*) filter (where customers.order_count > 0) as buyer_count,
    coalesce(sum(customers.order_count), 0)::bigint as order_count,
    coalesce(sum(customers.spend_amount), 0) as spend_amount,
    any_value(customers.currency) as currency
from marts.customers
