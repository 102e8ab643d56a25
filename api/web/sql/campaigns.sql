-- The newest $1 campaigns.
select
    campaigns.campaign_id,
    campaigns.planned_count,
    campaigns.message_count,
    campaigns.accepted_count,
    campaigns.delivery_rate,
    campaigns.delivery_rate_count,
    campaigns.read_rate,
    campaigns.read_rate_count,
    campaigns.reply_rate,
    campaigns.reply_rate_count,
    campaigns.conversion_rate,
    campaigns.conversion_rate_count,
    campaigns.attributed_order_count,
    campaigns.attributed_amount,
    campaigns.currency,
    campaigns.first_at,
    campaigns.last_at
from marts.campaigns
order by coalesce(campaigns.last_at, campaigns.planned_at) desc nulls last, campaigns.campaign_id
limit $1::bigint
