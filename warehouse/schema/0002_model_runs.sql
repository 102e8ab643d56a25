-- What the model runs did, and the metrics taken from them. Rows are only ever
-- added.

-- One row for each run, whether it was published or not.
create table ops.model_runs (
    run_id varchar not null,
    as_of timestamp not null,
    -- every event before these offsets was in, none after: a JSON array
    offset_ceiling json not null,
    model_version varchar not null,
    config_hash varchar not null,
    goodhour_version varchar not null,
    started_at timestamp not null,
    finished_at timestamp not null,
    -- published or failed
    state varchar not null,
    -- why it failed, null otherwise
    error varchar,
    relations_built bigint not null,
    relations_failed bigint not null,
    relations_skipped bigint not null,
    row_count bigint not null,
    checks_failed bigint not null,
    -- the error of each relation that was left out, by relation
    relation_errors json not null,
    copy_ms bigint not null,
    copied_row_count bigint not null,
    file_bytes bigint not null
);

-- One row for each check of each run.
create table ops.model_checks (
    run_id varchar not null,
    relation varchar not null,
    "check" varchar not null,
    -- a failure changes nothing
    is_warning boolean not null,
    -- rows, or keys, that break it
    failed_count bigint not null,
    -- one of them, as JSON
    example varchar,
    -- why the check could not be made
    error varchar,
    duration_ms bigint not null
);

-- One row for each value of a metric at an as-of time; another one, the
-- restatement, when it comes out otherwise later. The last row holds.
create table ops.metric_snapshots (
    taken_at timestamp not null,
    metric varchar not null,
    dimension varchar not null,
    as_of timestamp not null,
    -- null where there is nothing to divide by
    "value" double,
    -- what the value rests on: the denominator of a rate, else the number counted
    n bigint not null,
    offset_ceiling json not null,
    model_version varchar not null,
    config_hash varchar not null,
    -- of all the metric's values at this as-of time together
    result_hash varchar not null,
    -- taken_at of the row that this one replaces; null for the first
    restates_taken_at timestamp
);
