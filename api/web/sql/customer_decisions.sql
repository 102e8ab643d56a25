-- The last $2 decisions about the customer $1.
select
    decisions.campaign_id,
    decisions.state,
    coalesce(decisions.rule, '') as rule,
    decisions.stage,
    decisions.send_hour_local::bigint as send_hour_local,
    decisions.hour_reason,
    decisions.decided_at
from marts.decisions
where decisions.customer_id = try_cast($1::varchar as uuid)
order by decisions.decided_at desc, decisions.message_id
limit $2::bigint
