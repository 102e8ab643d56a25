-- The metrics that snapshots were taken of, each with the span of its as-of
-- times and how many of its values were restated.
select
    metric_snapshots.metric,
    count(distinct metric_snapshots.dimension) as dimension_count,
    count(*) as snapshot_count,
    count(metric_snapshots.restates_taken_at) as restatement_count,
    min(metric_snapshots.as_of) as first_as_of,
    max(metric_snapshots.as_of) as last_as_of
from ops.metric_snapshots
group by metric_snapshots.metric
order by metric_snapshots.metric
