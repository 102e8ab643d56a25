-- Accepted messages of the campaign $1 by what happened to them since.
select
    coalesce(messages.delivery_status, 'none') as delivery_status,
    count(*) as message_count
from marts.messages
where messages.campaign_id = $1::varchar and messages.outcome = 'accepted'
group by all
