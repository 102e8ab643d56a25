/* goodhour
doc: >-
  Customers to whom a marketing message may be sent: in all (dimension all) and by heat class.
grain: [dimension]
columns:
  dimension: "all, or heat:<class>"
  value: "reachable customers"
  n: "customers, reachable or not"
*/
with
sized as (
    select
        unnest(['all', 'heat:' || segments.heat_class]) as dimension,
        segments.reachable_count,
        segments.customer_count
    from marts.segments
)
select
    sized.dimension,
    sum(sized.reachable_count)::bigint as value,
    sum(sized.customer_count)::bigint as n
from sized
group by sized.dimension
