-- Why the hours of the campaign $1 were chosen.
select
    coalesce(decisions.hour_reason, '') as hour_reason,
    count(*) as message_count
from marts.decisions
where decisions.campaign_id = $1::varchar and decisions.hour_reason is not null
group by decisions.hour_reason
order by message_count desc, hour_reason
