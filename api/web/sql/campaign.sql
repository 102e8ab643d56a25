-- The campaign $1.
select campaigns.*
from marts.campaigns
where campaigns.campaign_id = $1::varchar
