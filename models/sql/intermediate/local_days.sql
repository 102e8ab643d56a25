/* goodhour
doc: >-
  The local days of the last send_hours_days in each time zone that a customer has, by the UTC days that they
  touch. Days that have not 24 hours, when clocks change, are left out: an hour of them is missing or there twice. So
  on each of these days the local hour of an instant is the whole hours since the day began.
grain: [time_zone, local_on, utc_on]
checks:
  - expression: "ends_at = starts_at + interval 24 hours"
columns:
  time_zone: "IANA name"
  local_on: "the local day"
  utc_on: "a day (UTC) that has a part of it"
  starts_at: "local midnight, UTC"
  ends_at: "the next local midnight, UTC"
*/
with
zones as (
    select distinct customer_time_zones.time_zone
    from intermediate.customer_time_zones
),
midnights as (
    select
        zones.time_zone,
        days.local_at::date as local_on,
        timezone('UTC', try_cast(
            strftime(days.local_at, '%Y-%m-%d 00:00:00 ') || zones.time_zone as timestamptz
        )) as starts_at,
        timezone('UTC', try_cast(
            strftime(days.local_at + interval 1 day, '%Y-%m-%d 00:00:00 ') || zones.time_zone as timestamptz
        )) as ends_at
    from zones
    cross join staging.settings
    cross join lateral (
        select unnest(range(
            date_trunc('day', getvariable('as_of')::timestamp) - to_days(settings.send_hours_days + 1),
            date_trunc('day', getvariable('as_of')::timestamp) + to_days(2),
            interval 1 day
        )) as local_at
    ) as days
)
select
    midnights.time_zone,
    midnights.local_on,
    unnest(list_distinct([
        midnights.starts_at::date,
        (midnights.ends_at - interval 1 microsecond)::date
    ])) as utc_on,
    midnights.starts_at,
    midnights.ends_at
from midnights
where midnights.ends_at - midnights.starts_at = interval 24 hours
