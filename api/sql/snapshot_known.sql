-- Whether the metric $1 has a snapshot: a row if so.
select metric_snapshots.metric
from ops.metric_snapshots
where metric_snapshots.metric = $1::varchar
limit 1
