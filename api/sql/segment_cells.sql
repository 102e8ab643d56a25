-- The intersections value × frequency × heat that anyone is in.
select
    segments.value_segment,
    segments.frequency_segment,
    segments.heat_class,
    segments.customer_count,
    segments.reachable_count,
    segments.order_count,
    segments.spend_amount,
    segments.average_order_value_amount,
    segments.currency
from marts.segments
order by segments.value_segment, segments.frequency_segment, segments.heat_class
