-- The non-empty intersections value × frequency × heat.
select
    segments.value_segment,
    segments.frequency_segment,
    segments.heat_class,
    segments.customer_count,
    segments.reachable_count,
    segments.order_count,
    segments.spend_amount,
    segments.currency
from marts.segments
