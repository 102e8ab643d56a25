-- How far messages got, of the campaign $1 (null: of all). The bases of the
-- rates hold only messages old enough to have had their time.
select
    coalesce(sum(funnel.message_count), 0)::bigint as message_count,
    coalesce(sum(funnel.accepted_count), 0)::bigint as accepted_count,
    coalesce(sum(funnel.sent_count), 0)::bigint as sent_count,
    coalesce(sum(funnel.delivered_count), 0)::bigint as delivered_count,
    coalesce(sum(funnel.read_count), 0)::bigint as read_count,
    coalesce(sum(funnel.replied_count), 0)::bigint as replied_count,
    coalesce(sum(funnel.ordered_count), 0)::bigint as ordered_count,
    coalesce(sum(funnel.failed_count), 0)::bigint as failed_count,
    coalesce(sum(funnel.unknown_count), 0)::bigint as unknown_count,
    coalesce(sum(funnel.undelivered_count), 0)::bigint as undelivered_count,
    coalesce(sum(funnel.mature_accepted_count), 0)::bigint as mature_accepted_count,
    coalesce(sum(funnel.mature_delivered_count), 0)::bigint as mature_delivered_count,
    coalesce(sum(funnel.mature_replied_count), 0)::bigint as mature_replied_count,
    coalesce(sum(funnel.mature_readable_count), 0)::bigint as mature_readable_count,
    coalesce(sum(funnel.mature_read_count), 0)::bigint as mature_read_count,
    coalesce(sum(funnel.conversion_base_count), 0)::bigint as conversion_base_count,
    coalesce(sum(funnel.converted_count), 0)::bigint as converted_count,
    min(funnel.first_at) as first_at,
    max(funnel.last_at) as last_at,
    any_value(settings.mature_hours)::bigint as mature_hours,
    any_value(settings.conversion_days)::bigint as conversion_days
from staging.settings
left join marts.funnel
    on $1::varchar is null or funnel.campaign_id = $1::varchar
