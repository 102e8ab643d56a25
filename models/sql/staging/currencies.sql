/* goodhour
doc: >-
  One row per currency that orders come in, and what one unit is worth in the reporting currency.
  The reporting currency is the configured one, else the one that most order events name.
grain: [currency]
checks:
  - expression: "rate > 0 or rate is null"
columns:
  currency: "ISO 4217"
  reporting_currency: "the currency that all revenue is told in, ISO 4217"
  rate: "units of reporting_currency for one unit of currency; null where no rate is known, and then the value is unknown"
*/
with
seen as (
    select order_completed.currency, count(*) as event_count
    from staging.order_completed
    where order_completed.currency is not null
    group by all
),
chosen as (
    select
        coalesce(
            nullif(any_value(settings.reporting_currency), ''),
            arg_min(seen.currency, {'rank': -seen.event_count, 'currency': seen.currency})
        ) as reporting_currency
    from staging.settings
    left join seen
        on true
)
select
    seen.currency,
    chosen.reporting_currency,
    -- Rates of exchange join here once they can be imported. None is ever assumed.
    case when seen.currency = chosen.reporting_currency then 1.0000000000::decimal(20, 10) end as rate
from seen
cross join chosen
