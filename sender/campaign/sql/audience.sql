-- What a plan freezes of each customer of an audience. listed (customer_id,
-- score, and the columns that parameters take) and hours are CTEs that
-- audience.go puts before it.
select
    try_cast(listed.customer_id as uuid) as customer_id,
    coalesce(try_cast(listed.score as double), 0) as score,
    coalesce(customers.heat_class, '') as heat_class,
    coalesce(
        customers.last_delivered_at > coalesce(customers.last_engaged_at, timestamp '-infinity'), false
    ) as is_delivered_since_engagement,
    coalesce(customers.time_zone, hours.time_zone::varchar, '') as time_zone,
    hours.send_hour_local::bigint as send_hour_local,
    hours.hour_reason::varchar as hour_reason,
    hours.propensity::double as propensity,
    listed.* exclude (customer_id, score)
from listed
left join marts.customers as customers
    on customers.customer_id = try_cast(listed.customer_id as uuid)
left join hours
    on hours.customer_id = customers.customer_id
