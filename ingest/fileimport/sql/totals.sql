select
    count(*),
    coalesce(sum(events), 0)::bigint,
    coalesce(min(first_at), 0),
    coalesce(max(last_at), 0),
    count(*) filter (has_key),
    count(*) filter (has_phone),
    count(*) filter (has_email),
    count(*) filter (consent = 1),
    count(*) filter (consent = 0),
    (select count(*) from marks where dropped and same),
    (select count(*) from marks where dropped and not same)
from kept
