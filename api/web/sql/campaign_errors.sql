-- The most frequent errors of the campaign $1.
select
    coalesce(messages.error_code, '') as error_code,
    coalesce(messages.error_class, '') as error_class,
    count(*) as message_count
from marts.messages
where messages.campaign_id = $1::varchar and messages.error_code is not null
group by all
order by message_count desc, error_code
limit 10
