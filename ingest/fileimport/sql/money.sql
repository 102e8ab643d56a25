with middles as (
    select currency, median(amount) filter (not refund) as middle
    from kept
    where currency is not null
    group by currency
)
select
    kept.currency,
    count(*) filter (not kept.refund),
    coalesce(sum(kept.amount) filter (not kept.refund), 0)::varchar,
    count(*) filter (kept.refund),
    coalesce(sum(kept.amount) filter (kept.refund), 0)::varchar,
    coalesce(round(any_value(middles.middle)), 0)::bigint,
    count(*) filter (kept.amount = 0),
    count(*) filter (not kept.refund and middles.middle > 0 and kept.amount > 100 * middles.middle)
from kept
join middles on middles.currency = kept.currency
group by kept.currency
order by kept.currency
