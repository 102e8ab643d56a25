-- An audience that lacks the caller's own key, with it. The name audience.list
-- stands for the audience.
select
    customers.external_id,
    list.*
from audience.list as list
left join marts.customers
    on customers.customer_id = list.customer_id
