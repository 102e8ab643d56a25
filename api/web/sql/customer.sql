-- The 360-degree row of the customer $1.
select customers.*
from marts.customers
where customers.customer_id = try_cast($1::varchar as uuid)
