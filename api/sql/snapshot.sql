-- The snapshots of the metric $1 with an as-of time from $2 on and before $3
-- (null: any), after the row ($4, $5, $6) in this order (null: from the
-- beginning), at most $7.
select
    metric_snapshots.as_of,
    metric_snapshots.dimension,
    metric_snapshots.value,
    metric_snapshots.n,
    metric_snapshots.taken_at,
    metric_snapshots.restates_taken_at,
    metric_snapshots.model_version,
    metric_snapshots.config_hash,
    metric_snapshots.result_hash
from ops.metric_snapshots
where
    metric_snapshots.metric = $1::varchar
    and ($2::timestamp is null or metric_snapshots.as_of >= $2::timestamp)
    and ($3::timestamp is null or metric_snapshots.as_of < $3::timestamp)
    and (
        $4::timestamp is null
        or (metric_snapshots.as_of, metric_snapshots.dimension, metric_snapshots.taken_at)
        < ($4::timestamp, $5::varchar, $6::timestamp)
    )
order by metric_snapshots.as_of desc, metric_snapshots.dimension desc, metric_snapshots.taken_at desc
limit $7::bigint
