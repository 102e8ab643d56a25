-- What keeps messages of the campaign $1 from being sent, by state and rule.
select
    decisions.state,
    coalesce(decisions.rule, '') as rule,
    count(*) as message_count
from marts.decisions
where
    decisions.campaign_id = $1::varchar
    and decisions.rule is not null
    and decisions.state not in ('accepted', 'failed', 'unknown')
group by all
order by message_count desc, decisions.state, rule
