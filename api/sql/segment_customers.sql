-- The customers in a segment, or in the intersection of up to three: $1 value,
-- $2 frequency, $3 heat, null for any.
select customers.*
from marts.customers
where
    ($1::varchar is null or customers.value_segment = $1::varchar)
    and ($2::varchar is null or customers.frequency_segment = $2::varchar)
    and ($3::varchar is null or customers.heat_class = $3::varchar)
