-- How far messages got, in counts: of the campaign $1, from $2 on and before
-- $3, null for any. The bases of the rates are those of marts.funnel.
-- (count_if is null, not 0, where there is no message at all.)
with
counted as (
    select
        count(*) as message_count,
        count(*) filter (where messages.outcome = 'accepted') as accepted_count,
        count(*) filter (where messages.is_delivered) as delivered_count,
        count(*) filter (where messages.is_read) as read_count,
        count(*) filter (where messages.is_replied) as replied_count,
        count(*) filter (where messages.attributed_order_count > 0) as ordered_count,
        count(*) filter (where messages.is_mature and messages.outcome = 'accepted') as mature_accepted_count,
        count(*) filter (where messages.is_mature and messages.is_delivered) as mature_delivered_count,
        count(*) filter (
            where messages.is_mature and messages.is_delivered and messages.is_replied
        ) as mature_replied_count,
        count(*) filter (
            where messages.is_mature and messages.is_delivered and not messages.has_receipts_off
        ) as mature_readable_count,
        count(*) filter (
            where messages.is_mature and messages.is_delivered and not messages.has_receipts_off and messages.is_read
        ) as mature_read_count,
        count(*) filter (where messages.is_conversion_mature and messages.is_delivered) as conversion_base_count,
        count(*) filter (
            where messages.is_conversion_mature and messages.is_delivered and messages.attributed_order_count > 0
        ) as converted_count
    from marts.messages
    where
        ($1::varchar is null or messages.campaign_id = $1::varchar)
        and ($2::timestamp is null or messages.first_at >= $2::timestamp)
        and ($3::timestamp is null or messages.first_at < $3::timestamp)
)
select
    counted.message_count,
    counted.accepted_count,
    counted.delivered_count,
    counted.read_count,
    counted.replied_count,
    counted.ordered_count,
    counted.mature_accepted_count,
    counted.mature_delivered_count,
    counted.mature_replied_count,
    counted.mature_readable_count,
    counted.mature_read_count,
    counted.conversion_base_count,
    counted.converted_count,
    settings.mature_hours,
    settings.conversion_days
from counted
cross join staging.settings
