-- The share of reachable customers who bought in the span before as-of in which
-- an order counts as a message's: what a customer does without this campaign.
-- Null where there is nobody.
select avg((customers.last_purchased_at > customers.model_as_of - to_days(settings.conversion_days))::integer) as share
from marts.customers as customers
cross join staging.settings as settings
where customers.is_reachable
