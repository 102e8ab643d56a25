-- The cells value × frequency × heat.
select
    segments.value_segment,
    segments.frequency_segment,
    segments.heat_class,
    segments.customer_count,
    segments.spend_amount::double as spend_amount
from marts.segments
