-- The last 60 days of the daily metrics, over everything: the newest word on
-- each day.
select
    metric_snapshots.metric,
    metric_snapshots.as_of,
    metric_snapshots.value
from ops.metric_snapshots
where
    metric_snapshots.dimension = 'all'
    and metric_snapshots.as_of > getvariable('as_of')::timestamp - interval 60 day
    and metric_snapshots.as_of <= getvariable('as_of')::timestamp
qualify
    row_number() over (
        partition by metric_snapshots.metric, metric_snapshots.as_of::date
        order by metric_snapshots.as_of desc, metric_snapshots.taken_at desc
    ) = 1
order by metric_snapshots.metric, metric_snapshots.as_of
