-- The ledger: what the sender did and decided, and the projection of the topics
-- that its rules need. Rows are appended and never changed, but for the few in
-- ops.offsets and published; the state of now is derived from them.
--
-- Every time is a TIMESTAMP in UTC. Identities and messages have numbers, dense
-- from 0, by which the other tables name them. seq orders all rows that become
-- events: one sequence over decisions, settlements, consents and the planned
-- messages (plans.first_seq onward).
--
-- Personal data is in the two tables of schema pii and nowhere else.

create schema pii;

create table ops.offsets (
    cluster_id varchar not null,
    topic varchar not null,
    topic_id varchar not null,
    "partition" integer not null,
    next_offset bigint not null,
    loaded_at timestamp not null
);

create table ops.acceptances (
    cluster_id varchar not null,
    topic varchar not null,
    topic_id varchar not null,
    "partition" integer not null,
    next_offset bigint not null,
    replaced_cluster_id varchar,
    replaced_topic_id varchar,
    replaced_offset bigint,
    break varchar not null,
    detail varchar not null,
    accepted_by varchar not null,
    accepted_at timestamp not null
);

-- people

-- An identity that was named before it was known has two rows of one number;
-- the first has no namespace.
create table identities (
    number integer not null,
    identity_id uuid not null,
    namespace varchar
);

create table pii.identifiers (
    number integer not null,
    namespace varchar not null,
    value varchar not null
);

create table links (
    a integer not null,
    b integer not null
);

create table unlinks (
    a integer not null,
    b integer not null
);

-- What moved an identity's consent: rows that say nothing new are left out.
-- Those with a seq are events of ours: opt-outs and opt-ins by an inbound
-- message, and opt-outs that the provider told with a refusal.
create table consents (
    seq bigint,
    number integer not null,
    category varchar not null,
    state varchar not null,
    source varchar not null,
    occurred_at timestamp not null,
    event_id varchar,
    evidence varchar
);

-- The newest message of an identity to a number: rows that are older than
-- another are left out.
create table inbound (
    number integer not null,
    number_id varchar not null,
    occurred_at timestamp not null
);

-- The quarter's global holdout, as first assigned.
create table arms (
    number integer not null,
    quarter varchar not null,
    arm varchar not null
);

-- what is to be sent

create table campaigns (
    id varchar not null,
    campaign varchar not null,
    author varchar not null,
    created_at timestamp not null
);

create table templates (
    account varchar not null,
    synced_at timestamp not null,
    templates varchar -- JSON; null: as before
);

create table plans (
    number integer not null,
    id varchar not null,
    hash varchar not null,
    campaign_id varchar not null,
    campaign varchar not null,
    created_at timestamp not null,
    author varchar not null,
    audience varchar not null,
    as_of timestamp,
    published_at timestamp,
    model_version varchar not null,
    template_name varchar not null,
    template_language varchar not null,
    template_category varchar not null,
    template_body_hash varchar not null,
    provider varchar not null,
    account varchar not null,
    mode varchar not null,
    rules_version varchar not null,
    report varchar,
    first_message integer not null,
    messages integer not null,
    first_seq bigint not null
);

create table plan_actions (
    plan integer not null,
    action varchar not null,
    actor varchar not null,
    acted_at timestamp not null
);

-- As planned. The messages of a plan have consecutive numbers in the order of
-- their ids; message m of plan p is the event plans.first_seq + m - first_message.
create table messages (
    number integer not null,
    id uuid not null, -- the message_id's 32 hex digits
    customer integer not null,
    recipient integer,
    category varchar not null,
    number_id varchar not null,
    arm varchar not null,
    state varchar not null,
    rule varchar not null,
    inputs varchar,
    send_at timestamp,
    deadline timestamp,
    send_hour_local integer not null,
    time_zone varchar not null,
    hour_reason varchar not null,
    propensity double not null,
    heat_class varchar not null,
    delivered_since_engagement boolean not null,
    priority double not null
);

create table pii.parameters (
    message integer not null,
    parameters varchar not null
);

-- what was done

-- At the claim. attempts is how many claims the message had before: a decision
-- with an open claim of that ordinal withdraws it. Only those with a seq become
-- events: a delay that only moves does not.
create table decisions (
    seq bigint,
    message integer not null,
    attempts integer not null,
    verdict varchar not null,
    rule varchar not null,
    delay_until timestamp,
    inputs varchar,
    decided_at timestamp not null
);

create table claims (
    message integer not null,
    ordinal integer not null,
    claimed_at timestamp not null
);

create table settlements (
    seq bigint not null,
    message integer not null,
    ordinal integer not null,
    settled_at timestamp not null,
    outcome varchar not null,
    provider_message_id varchar not null,
    error_code varchar not null,
    error_class varchar not null,
    not_before timestamp,
    request_ms bigint,
    chars bigint,
    opens_with_name boolean,
    has_call_to_action boolean,
    has_link boolean,
    media_kind varchar
);

create table statuses (
    message integer not null,
    status varchar not null,
    occurred_at timestamp not null
);

-- The one row's cursor: every row up to this seq is published.
create table published (
    cursor bigint not null
);

insert into published values (0);
