-- How customers responded by the local hour of the message.
select
    send_hours.segment_kind,
    send_hours.segment,
    send_hours.hour_local::bigint as hour_local,
    send_hours.messages::bigint as message_count,
    send_hours.responses::bigint as response_count,
    send_hours.rate,
    send_hours.rate_low,
    send_hours.rate_high,
    send_hours.smoothed_rate,
    send_hours.is_allowed,
    send_hours.is_best
from marts.send_hours
order by send_hours.segment_kind <> 'all', send_hours.segment_kind desc, send_hours.segment, send_hours.hour_local
