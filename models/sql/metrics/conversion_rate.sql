/* goodhour
doc: >-
  Messages with a credited order per delivered message, of the messages that started in the last metric_days and are old enough to have had
  their time: in all (dimension all) and by category.
grain: [dimension]
columns:
  dimension: "all, or category:<name>"
  value: "the rate, 0 to 1; null where n is 0"
  n: "the messages that it is over"
*/
with
recent as (
    select
        unnest(['all', 'category:' || funnel.category]) as dimension,
        funnel.converted_count as numerator,
        funnel.conversion_base_count as denominator
    from marts.funnel
    cross join staging.settings
    where funnel.started_on > getvariable('as_of')::date - settings.metric_days
)
select
    recent.dimension,
    sum(recent.numerator) / nullif(sum(recent.denominator), 0) as value,
    sum(recent.denominator)::bigint as n
from recent
group by recent.dimension
