/* goodhour
doc: >-
  Delivered ÷ accepted, of the messages that matured in the last 7 days. An attempt whose outcome is unknown is
  not accepted as long as nothing proves it.
grain: [dimension]
columns:
  dimension: "all, or a category of messages; unknown where neither the sender nor the provider named one"
  value: "share from 0 to 1; null where n is 0"
  n: "messages accepted"
*/
with
accepted as (
    select
        coalesce(messages.category, 'unknown') as category,
        messages.is_delivered
    from marts.messages
    cross join staging.settings
    where
        messages.outcome = 'accepted'
        and messages.is_mature
        and coalesce(messages.accepted_at, messages.first_at)
        > getvariable('as_of')::timestamp - to_hours(settings.mature_hours) - interval 7 day
)
select
    case when grouping(accepted.category) = 1 then 'all' else accepted.category end as dimension,
    count(*) filter (where accepted.is_delivered) / nullif(count(*), 0) as value,
    count(*) as n
from accepted
group by grouping sets ((), (accepted.category))
