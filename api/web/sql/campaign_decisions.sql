-- A sample of decisions of the campaign $1: of each state and rule the first
-- few messages, by their id, $2 in all.
select
    decisions.customer_id,
    customers.external_id,
    decisions.state,
    decisions.verdict,
    coalesce(decisions.rule, '') as rule,
    decisions.stage,
    decisions.send_hour_local::bigint as send_hour_local,
    decisions.time_zone,
    decisions.hour_reason,
    decisions.decided_at,
    decisions.delay_until
from marts.decisions
left join marts.customers
    on customers.customer_id = decisions.customer_id
where decisions.campaign_id = $1::varchar
qualify
    row_number() over (
        partition by decisions.state, decisions.rule
        order by decisions.message_id
    ) <= 3
order by decisions.state, decisions.rule, decisions.message_id
limit $2::bigint
