-- The customers that $1 may mean: ours, also one that was merged into another,
-- or the caller's own key.
select customers.customer_id::varchar as customer_id
from marts.customers
where
    customers.external_id = $1::varchar
    or customers.customer_id = try_cast($1::varchar as uuid)
union
select identity_customers.customer_id::varchar
from staging.identity_customers
where identity_customers.identity_id = try_cast($1::varchar as uuid)
limit 10
