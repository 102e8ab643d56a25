/* goodhour
doc: Customers who read, clicked, wrote or bought in the last 30 days.
grain: [dimension]
columns:
  dimension: "all, or a value segment"
  value: "customers whose last engagement is at most 30 days before as_of"
  n: "customers"
*/
select
    case when grouping(customers.value_segment) = 1 then 'all' else customers.value_segment end as dimension,
    count(*) filter (where customers.last_engaged_at >= getvariable('as_of')::timestamp - interval 30 day) as value,
    count(*) as n
from marts.customers
group by grouping sets ((), (customers.value_segment))
