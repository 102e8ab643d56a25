/* goodhour
doc: >-
  How customers respond to marketing messages by the local hour at which they were sent: responses per message,
  never a count of reads by hour, which shows only when messages went out. Of the last send_hours_days, mature
  messages that the customer has, without customers whose receipts are off or whose local time is unknown, and
  without days on which clocks change. Segments are those that purchases make. Heat is not among them: who reads
  is hot, so the hours of the hot would look good because they were read. A purchase that a message led to may
  still have moved its customer, one in as many as convert.
grain: [segment_kind, segment, hour_local]
checks:
  - not_null: [smoothed_rate, smoothed_error, is_allowed, is_best]
  - accepted_values: {column: segment_kind, values: [all, value_segment, frequency_segment]}
  - expression: "hour_local between 0 and 23"
  - expression: "responses between 0 and messages"
  - expression: "smoothed_rate between 0 and 1"
  - expression: "not is_best or is_allowed"
columns:
  segment_kind: "all, value_segment or frequency_segment"
  segment: "the segment; all for all customers"
  hour_local: "hour of day 0-23 in the customer's zone at which the message was sent"
  messages: "messages"
  responses: "messages read within send_hours_read_minutes of sending, or answered or opened within mature_hours"
  rate: "responses per message; null without messages"
  rate_low: "lower end of its 95 % interval (Wilson); null without messages"
  rate_high: "upper end of its 95 % interval (Wilson); null without messages"
  expected_responses: "responses that the same customers would have given, each at their own level, if hours made no difference"
  smoothed_rate: "what an average message of the segment would get at this hour: responses against expected ones, drawn together with the hours beside it and towards the segment's rate as far as the hours do not differ"
  smoothed_error: "standard error of smoothed_rate"
  is_allowed: "the hour lies within send_hours_from and send_hours_until"
  is_best: "the highest smoothed_rate among the allowed hours with at least send_hours_min_messages; nowhere where fewer than two have them, as nothing can be compared"
*/
with
sent as (
    select
        messages.customer_id,
        -- The hour that a plan chooses is that of sending; a phone may get it later.
        coalesce(messages.accepted_at, messages.sent_at, messages.delivered_at) as sent_at,
        messages.read_at,
        least(messages.replied_at, messages.clicked_at) as acted_at
    from marts.messages
    where
        messages.is_delivered
        and messages.is_mature
        and not messages.has_receipts_off
        and coalesce(messages.category, 'marketing') = 'marketing'
),
-- Materialized, or DuckDB pairs each message with the day in every zone before
-- it asks for the customer's.
zoned as materialized (
    select
        sent.customer_id,
        customer_time_zones.time_zone,
        sent.sent_at,
        coalesce(
            sent.read_at <= sent.sent_at + to_minutes(settings.send_hours_read_minutes)
            or sent.acted_at <= sent.sent_at + to_hours(settings.mature_hours),
            false
        ) as is_response
    from sent
    cross join staging.settings
    inner join intermediate.customer_time_zones
        on customer_time_zones.customer_id = sent.customer_id
    where sent.sent_at > getvariable('as_of') - to_days(settings.send_hours_days)
),
customer_hours as (
    select
        zoned.customer_id,
        (epoch_us(zoned.sent_at) - epoch_us(local_days.starts_at)) // 3_600_000_000 as hour_local,
        count(*) as messages,
        count(*) filter (where zoned.is_response) as responses
    from zoned
    inner join intermediate.local_days
        on local_days.time_zone = zoned.time_zone
        and local_days.utc_on = zoned.sent_at::date
        and zoned.sent_at >= local_days.starts_at
        and zoned.sent_at < local_days.ends_at
    group by all
),
hour_rates as (
    select
        customer_hours.hour_local,
        (sum(customer_hours.responses) / sum(customer_hours.messages))::decimal(18, 9) as rate
    from customer_hours
    group by customer_hours.hour_local
),
-- How readily each customer responds, against what all do at the hours at which
-- this one was written to: as if five expected responses had come, so that few
-- messages say little. Else an hour at which the keen were written to looks good.
customers as (
    select
        customer_hours.customer_id,
        (
            (sum(customer_hours.responses) + 5) / (sum(customer_hours.messages * hour_rates.rate) + 5)
        )::decimal(18, 9) as response_level
    from customer_hours
    inner join hour_rates
        on hour_rates.hour_local = customer_hours.hour_local
    group by customer_hours.customer_id
),
labelled as (
    select
        unnest([
            {'segment_kind': 'all', 'segment': 'all'},
            {'segment_kind': 'value_segment', 'segment': segments.value_segment},
            {'segment_kind': 'frequency_segment', 'segment': segments.frequency_segment}
        ]) as label,
        customer_hours.hour_local,
        sum(customer_hours.messages)::bigint as messages,
        sum(customer_hours.responses)::bigint as responses,
        sum(customer_hours.messages * customers.response_level) as exposure
    from customer_hours
    inner join customers
        on customers.customer_id = customer_hours.customer_id
    inner join marts.customers as segments
        on segments.customer_id = customer_hours.customer_id
    group by segments.value_segment, segments.frequency_segment, customer_hours.hour_local
),
seen as (
    select
        labelled.label,
        labelled.hour_local,
        sum(labelled.messages)::bigint as messages,
        sum(labelled.responses)::bigint as responses,
        sum(labelled.exposure) as exposure
    from labelled
    group by labelled.label, labelled.hour_local
),
totals as (
    select
        seen.label,
        sum(seen.responses) / sum(seen.messages) as rate,
        sum(seen.responses) / sum(seen.exposure) as exposure_rate
    from seen
    group by seen.label
),
hours as (
    select
        totals.label,
        clock.hour_local,
        coalesce(seen.messages, 0) as messages,
        coalesce(seen.responses, 0) as responses,
        coalesce(seen.exposure * totals.exposure_rate, 0) as expected_responses,
        totals.rate
    from totals
    cross join (select unnest(range(24)) as hour_local) as clock
    left join seen
        on seen.label = totals.label
        and seen.hour_local = clock.hour_local
),
-- How much hours differ is read from the data (empirical Bayes): responses of
-- three-hour blocks are Poisson around a gamma-distributed multiple of the
-- expected ones, with mean 1 and variance 1/kappa. The kappa of the highest
-- marginal likelihood counts below as that many expected responses.
blocks as (
    select
        hours.label,
        hours.hour_local // 3 as block,
        sum(hours.responses) as responses,
        sum(hours.expected_responses order by hours.hour_local) as expected_responses
    from hours
    group by hours.label, hours.hour_local // 3
),
likelihoods as (
    select
        blocks.label,
        candidates.kappa,
        sum(
            lgamma(blocks.responses + candidates.kappa) - lgamma(candidates.kappa)
            + candidates.kappa * ln(candidates.kappa)
            - (blocks.responses + candidates.kappa) * ln(blocks.expected_responses + candidates.kappa)
            order by blocks.block
        ) as log_likelihood
    from blocks
    cross join (select pow(2, unnest(range(21))) as kappa) as candidates
    group by blocks.label, candidates.kappa
),
fitted as (
    select
        likelihoods.label,
        likelihoods.kappa
    from likelihoods
    qualify
        row_number() over (
            partition by likelihoods.label
            order by round(likelihoods.log_likelihood, 6) desc, likelihoods.kappa desc
        ) = 1
),
-- Hours beside count too, by a Gaussian of 1.5 hours around the clock.
neighbours as (
    select
        hours.label,
        hours.hour_local,
        sum(beside.responses * nearness.weight order by beside.hour_local) as responses_around,
        sum(beside.expected_responses * nearness.weight order by beside.hour_local) as expected_around
    from hours
    inner join hours as beside
        on beside.label = hours.label
    cross join lateral (
        select
            exp(
                -pow(least(abs(hours.hour_local - beside.hour_local), 24 - abs(hours.hour_local - beside.hour_local)), 2)
                / (2 * 1.5 * 1.5)
            ) as weight
    ) as nearness
    group by hours.label, hours.hour_local
),
smoothed as (
    select
        hours.label.segment_kind as segment_kind,
        hours.label.segment as segment,
        hours.hour_local,
        hours.messages,
        hours.responses,
        raw.rate,
        wilson.centre,
        wilson.half_width,
        hours.expected_responses,
        least(
            hours.rate * (neighbours.responses_around + fitted.kappa) / (neighbours.expected_around + fitted.kappa),
            1
        ) as smoothed_rate,
        hours.rate * sqrt(neighbours.responses_around + fitted.kappa) / (neighbours.expected_around + fitted.kappa)
            as smoothed_error,
        hours.hour_local >= settings.send_hours_from and hours.hour_local < settings.send_hours_until as is_allowed,
        hours.messages >= settings.send_hours_min_messages as is_known
    from hours
    cross join staging.settings
    cross join lateral (
        select
            hours.responses / nullif(hours.messages, 0) as rate,
            pow(1.959963984540054, 2) / nullif(hours.messages, 0) as z2n
    ) as raw
    cross join lateral (
        select
            (raw.rate + raw.z2n / 2) / (1 + raw.z2n) as centre,
            sqrt(raw.z2n * (raw.rate * (1 - raw.rate) + raw.z2n / 4)) / (1 + raw.z2n) as half_width
    ) as wilson
    inner join fitted
        on fitted.label = hours.label
    inner join neighbours
        on neighbours.label = hours.label
        and neighbours.hour_local = hours.hour_local
)
select
    smoothed.segment_kind,
    smoothed.segment,
    smoothed.hour_local,
    smoothed.messages,
    smoothed.responses,
    smoothed.rate,
    -- Rounding may carry an end past 0 or 1; null stays null.
    case when smoothed.messages > 0 then greatest(smoothed.centre - smoothed.half_width, 0) end as rate_low,
    case when smoothed.messages > 0 then least(smoothed.centre + smoothed.half_width, 1) end as rate_high,
    smoothed.expected_responses,
    smoothed.smoothed_rate,
    smoothed.smoothed_error,
    smoothed.is_allowed,
    smoothed.is_allowed
    and smoothed.is_known
    and count(*) filter (where smoothed.is_allowed and smoothed.is_known) over (
        partition by smoothed.segment_kind, smoothed.segment
    ) > 1
    and row_number() over (
        partition by smoothed.segment_kind, smoothed.segment
        order by
            smoothed.is_allowed and smoothed.is_known desc,
            round(smoothed.smoothed_rate, 9) desc,
            smoothed.messages desc,
            smoothed.hour_local asc
    ) = 1 as is_best
from smoothed
