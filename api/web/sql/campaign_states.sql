-- The planned messages of the campaign $1 by their state.
select
    decisions.state,
    count(*) as message_count
from marts.decisions
where decisions.campaign_id = $1::varchar
group by decisions.state
