-- What a person found out about messages whose answer was lost: of the attempt
-- that was settled as unknown. Each is an event.
create table resolutions (
    seq bigint not null,
    message integer not null,
    ordinal integer not null,
    outcome varchar not null,
    actor varchar not null,
    resolved_at timestamp not null
);
