-- The messages of the campaign $1 by the local hour chosen for them, and those
-- of them that were attempted.
select
    decisions.send_hour_local::bigint as send_hour_local,
    count(*) as message_count,
    count(*) filter (where decisions.state in ('accepted', 'failed', 'unknown')) as attempted_count
from marts.decisions
where
    decisions.campaign_id = $1::varchar
    and decisions.send_hour_local is not null
    and decisions.state in ('waiting', 'accepted', 'failed', 'unknown')
group by decisions.send_hour_local
order by decisions.send_hour_local
