-- What the survey found out of each row that becomes events.
create table facts (
    seq bigint not null,         -- the row's place in staged (its rowid)
    named boolean not null,      -- the row has an id of its own
    key_hi ubigint not null,     -- hash of that id, or of what makes the row the one it is
    key_lo ubigint not null,
    content_hi ubigint not null, -- hash of all that its events say
    content_lo ubigint not null,
    subject ubigint not null,    -- hash of the subject
    has_key boolean not null,
    has_phone boolean not null,
    has_email boolean not null,
    kinds uinteger not null,     -- bit n: it gives an event of kind n
    events utinyint not null,
    amount bigint,               -- of an order, ten-thousandths
    currency varchar,
    refund boolean not null,
    consent tinyint not null,    -- 1 in, 0 out, -1 not a consent
    first_at bigint not null,    -- of its events, microseconds UTC
    last_at bigint not null
)
