/* goodhour
doc: >-
  Read ÷ delivered, of the messages that matured in the last 7 days, without those to customers whose receipts
  are off: what they read cannot be seen.
grain: [dimension]
columns:
  dimension: "all, or a category of messages; unknown where neither the sender nor the provider named one"
  value: "share from 0 to 1; null where n is 0"
  n: "messages delivered"
*/
with
delivered as (
    select
        coalesce(messages.category, 'unknown') as category,
        messages.is_read
    from marts.messages
    cross join staging.settings
    where
        messages.is_delivered
        and messages.is_mature
        and not messages.has_receipts_off
        and coalesce(messages.accepted_at, messages.first_at)
        > getvariable('as_of')::timestamp - to_hours(settings.mature_hours) - interval 7 day
)
select
    case when grouping(delivered.category) = 1 then 'all' else delivered.category end as dimension,
    count(*) filter (where delivered.is_read) / nullif(count(*), 0) as value,
    count(*) as n
from delivered
group by grouping sets ((), (delivered.category))
