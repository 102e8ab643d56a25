-- An order is what was paid; what went back of it is a refund of its own. No
-- export says when, so that it is taken off at the order's time.
insert into staged
with counted as (
    select *
    from picked
    where left_out is null and wrong is null
),

movements as (
    select *, 'order' as "type"
    from counted
    union all
    select *, 'refund' as "type"
    from counted
    where meaning = 'refunded' or regexp_matches(coalesce(refunded, ''), '[1-9]')
)

select file_no, at_line/* fields */
from (
    select * replace (
        case
            when "type" = 'order' then amount
            when regexp_matches(coalesce(refunded, ''), '[1-9]') then refunded
            else amount
        end as amount
    )
    from movements
)
order by file_no, at_line, "type"
