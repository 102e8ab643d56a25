-- Messages by the day (UTC) of their first event, the last $1 days that have
-- any.
select
    funnel.started_on::varchar as day,
    sum(funnel.message_count)::bigint as message_count,
    sum(funnel.delivered_count)::bigint as delivered_count,
    sum(funnel.read_count)::bigint as read_count,
    sum(funnel.replied_count)::bigint as replied_count
from marts.funnel
group by funnel.started_on
order by funnel.started_on desc
limit $1::bigint
