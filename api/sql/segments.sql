-- Sizes of the segments of each segmentation; they add up to all customers.
select
    'value' as segmentation,
    segments.value_segment as label,
    sum(segments.customer_count)::bigint as customer_count,
    sum(segments.reachable_count)::bigint as reachable_count
from marts.segments
group by segments.value_segment
union all
select
    'frequency',
    segments.frequency_segment,
    sum(segments.customer_count)::bigint,
    sum(segments.reachable_count)::bigint
from marts.segments
group by segments.frequency_segment
union all
select
    'heat',
    segments.heat_class,
    sum(segments.customer_count)::bigint,
    sum(segments.reachable_count)::bigint
from marts.segments
group by segments.heat_class
