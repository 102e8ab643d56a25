-- Customers as these files alone know them: by the best identifier of each row.
select
    count(*),
    count(*) filter (has_phone),
    count(*) filter (not has_phone and has_email),
    count(*) filter (not has_phone and not has_email)
from (
    select subject, bool_or(has_phone) as has_phone, bool_or(has_email) as has_email
    from kept
    group by subject
)
