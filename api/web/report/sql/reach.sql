-- Who can be reached, and why not: the first reason that holds.
select
    coalesce(customers.unreachable_reason, 'reachable') as reason,
    count(*) as customer_count
from marts.customers
group by all
