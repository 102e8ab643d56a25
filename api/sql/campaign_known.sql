-- Whether there is a campaign $1: a row if so.
select campaigns.campaign_id
from marts.campaigns
where campaigns.campaign_id = $1::varchar
