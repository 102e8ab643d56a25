/* goodhour
doc: >-
  The local hour at which to write to each customer whom WhatsApp can address. It is the best hour of the
  customer's value segment, else of their frequency segment, where that is surely better for the segment than
  the hour for all; else the best hour of all customers where that is surely better than the default; else the
  default. Surely better: smoothed_rate is higher by send_hours_min_gain, and by send_hours_min_z standard errors of
  the difference; an hour with fewer than send_hours_min_messages is taken to have the segment's rate. Where the value
  segment was written to at the frequency segment's hour often enough (send_hours_min_messages), and its own best hour
  or the hour for all is surely better for it, the frequency segment's hour is not used. Every customer gets exactly
  this hour, so its propensity is 1.
grain: [customer_id]
checks:
  - not_null: [send_hour_local, propensity, messages, responses]
  - accepted_values: {column: hour_reason, values: [segment, global, default]}
  - accepted_values: {column: time_zone_source, values: [customer, country, default, none]}
  - expression: "send_hour_local between 0 and 23"
  - expression: "(time_zone is null) = (time_zone_source = 'none')"
columns:
  customer_id: "the customer"
  send_hour_local: "hour of day 0-23 in the customer's zone"
  hour_reason: "whose hour it is: segment, global (all customers) or default (too little is known, or no other hour is surely better)"
  segment_kind: "the kind of segment whose hour it is: all, value_segment, frequency_segment; null for the default"
  segment: "that segment"
  messages: "messages that marts.send_hours has for the segment at this hour; 0 for the default"
  responses: "of those, responded to; 0 for the default"
  expected_gain: "by how much the response rate is expected to be higher than at the hour it was preferred to, in that segment; null for the default"
  propensity: "probability of this hour under the rule: 1, as nothing is drawn by chance"
  time_zone: "IANA name; null where the customer's local time is unknown"
  time_zone_source: "how it is known: customer, country, default or none"
*/
with
rates as (
    select
        send_hours.segment_kind,
        send_hours.segment,
        sum(send_hours.responses) / nullif(sum(send_hours.messages), 0) as rate
    from marts.send_hours
    group by send_hours.segment_kind, send_hours.segment
),
-- What each hour of a segment promises. Of an hour that was hardly tried nothing
-- but the segment's rate is known: what is smoothed into it from hours beside it
-- would defend it against those.
promised as (
    select
        send_hours.segment_kind,
        send_hours.segment,
        send_hours.hour_local,
        case
            when send_hours.messages >= settings.send_hours_min_messages then send_hours.smoothed_rate else rates.rate
        end as rate,
        case
            when send_hours.messages >= settings.send_hours_min_messages then send_hours.smoothed_error else 0
        end as error,
        send_hours.messages >= settings.send_hours_min_messages as is_known,
        send_hours.messages,
        send_hours.responses,
        send_hours.is_best
    from marts.send_hours
    cross join staging.settings
    inner join rates
        on rates.segment_kind = send_hours.segment_kind
        and rates.segment = send_hours.segment
),
-- Every hour of a segment against every other of it.
compared as (
    select
        one.segment_kind,
        one.segment,
        one.hour_local,
        one.messages,
        one.responses,
        one.is_best,
        other.hour_local as other_hour_local,
        other.is_known as other_is_known,
        one.rate - other.rate as gain,
        one.rate - other.rate >= settings.send_hours_min_gain
        and one.rate - other.rate
        >= settings.send_hours_min_z * sqrt(pow(one.error, 2) + pow(other.error, 2)) as is_surely_better
    from promised as one
    cross join staging.settings
    inner join promised as other
        on other.segment_kind = one.segment_kind
        and other.segment = one.segment
),
for_all as (
    select
        coalesce(compared.hour_local, settings.send_hours_default) as hour_local,
        case when compared.hour_local is null then 'default' else 'global' end as hour_reason,
        compared.segment_kind,
        compared.segment,
        coalesce(compared.messages, 0) as messages,
        coalesce(compared.responses, 0) as responses,
        compared.gain
    from staging.settings
    left join compared
        on compared.segment_kind = 'all'
        and compared.is_best
        and compared.other_hour_local = settings.send_hours_default
        and (compared.is_surely_better or compared.hour_local = compared.other_hour_local)
),
for_segments as (
    select
        compared.segment_kind,
        compared.segment,
        compared.hour_local,
        compared.messages,
        compared.responses,
        compared.gain
    from compared
    inner join for_all
        on for_all.hour_local = compared.other_hour_local
    where compared.segment_kind <> 'all' and compared.is_best and compared.is_surely_better
),
-- A value segment without an hour that is surely better may still know that
-- the hour of a frequency segment is worse for it.
refused as (
    select distinct
        compared.segment as value_segment,
        for_segments.segment as frequency_segment
    from compared
    cross join for_all
    inner join for_segments
        on for_segments.segment_kind = 'frequency_segment'
        and for_segments.hour_local = compared.other_hour_local
    where
        compared.segment_kind = 'value_segment'
        and compared.other_is_known
        and compared.is_surely_better
        and (compared.is_best or compared.hour_local = for_all.hour_local)
)
select
    customers.customer_id,
    coalesce(by_value.hour_local, by_frequency.hour_local, for_all.hour_local)::integer as send_hour_local,
    case
        when coalesce(by_value.segment_kind, by_frequency.segment_kind) is not null then 'segment'
        else for_all.hour_reason
    end as hour_reason,
    coalesce(by_value.segment_kind, by_frequency.segment_kind, for_all.segment_kind) as segment_kind,
    coalesce(by_value.segment, by_frequency.segment, for_all.segment) as segment,
    coalesce(by_value.messages, by_frequency.messages, for_all.messages) as messages,
    coalesce(by_value.responses, by_frequency.responses, for_all.responses) as responses,
    coalesce(by_value.gain, by_frequency.gain, for_all.gain) as expected_gain,
    1::double as propensity,
    customer_time_zones.time_zone,
    coalesce(customer_time_zones.time_zone_source, 'none') as time_zone_source
from marts.customers
cross join for_all
left join for_segments as by_value
    on by_value.segment_kind = 'value_segment'
    and by_value.segment = customers.value_segment
left join refused
    on refused.value_segment = customers.value_segment
    and refused.frequency_segment = customers.frequency_segment
left join for_segments as by_frequency
    on by_frequency.segment_kind = 'frequency_segment'
    and by_frequency.segment = customers.frequency_segment
    and refused.frequency_segment is null
left join intermediate.customer_time_zones
    on customer_time_zones.customer_id = customers.customer_id
where customers.unreachable_reason is distinct from 'no_phone_or_bsuid'
