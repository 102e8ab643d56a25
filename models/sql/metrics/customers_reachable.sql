/* goodhour
doc: Customers whom a marketing message may be sent to.
grain: [dimension]
columns:
  dimension: "all, or a heat class"
  value: "customers with an address and an opt-in, and no opt-out"
  n: "customers"
*/
select
    case when grouping(customers.heat_class) = 1 then 'all' else customers.heat_class end as dimension,
    count(*) filter (where customers.is_reachable) as value,
    count(*) as n
from marts.customers
group by grouping sets ((), (customers.heat_class))
