-- The customer that either of two identities, $1 and $2, belongs to now.
select distinct identity_customers.customer_id
from staging.identity_customers
where identity_customers.identity_id = $1::uuid or identity_customers.identity_id = $2::uuid
