-- The first schema. A test compares the tables of events with the specs in
-- package event: names, types and order.
--
-- Every time is a TIMESTAMP in UTC, so that no result depends on a session's
-- time zone. The tables of events have no key and no index: they would cost
-- more than the rest of a load; Load itself keeps (ce_source, ce_id) unique.

create schema raw;

create schema pii;

create schema if not exists ops;

-- raw: what happened, without personal data. A row is (source, id, time), the
-- first identity in the event, its data, and where in the log it was read.
-- received_at is Kafka's own timestamp.

create table raw.message_sent (
    ce_source varchar not null,
    ce_id varchar not null,
    ce_time timestamp not null,
    identity_id uuid,
    message_id varchar,
    provider_message_id varchar,
    provider varchar,
    number_id varchar,
    campaign_id varchar,
    pricing_billable boolean,
    pricing_category varchar,
    pricing_type varchar,
    topic varchar not null,
    "partition" integer not null,
    "offset" bigint not null,
    received_at timestamp not null
);

create table raw.message_delivered (
    ce_source varchar not null,
    ce_id varchar not null,
    ce_time timestamp not null,
    identity_id uuid,
    message_id varchar,
    provider_message_id varchar,
    provider varchar,
    number_id varchar,
    campaign_id varchar,
    pricing_billable boolean,
    pricing_category varchar,
    pricing_type varchar,
    topic varchar not null,
    "partition" integer not null,
    "offset" bigint not null,
    received_at timestamp not null
);

create table raw.message_failed (
    ce_source varchar not null,
    ce_id varchar not null,
    ce_time timestamp not null,
    identity_id uuid,
    message_id varchar,
    provider_message_id varchar,
    provider varchar,
    number_id varchar,
    campaign_id varchar,
    error_code varchar,
    error_class varchar,
    topic varchar not null,
    "partition" integer not null,
    "offset" bigint not null,
    received_at timestamp not null
);

create table raw.message_read (
    ce_source varchar not null,
    ce_id varchar not null,
    ce_time timestamp not null,
    identity_id uuid,
    message_id varchar,
    provider_message_id varchar,
    provider varchar,
    number_id varchar,
    campaign_id varchar,
    topic varchar not null,
    "partition" integer not null,
    "offset" bigint not null,
    received_at timestamp not null
);

create table raw.link_clicked (
    ce_source varchar not null,
    ce_id varchar not null,
    ce_time timestamp not null,
    identity_id uuid,
    message_id varchar,
    campaign_id varchar,
    token varchar,
    url varchar,
    topic varchar not null,
    "partition" integer not null,
    "offset" bigint not null,
    received_at timestamp not null
);

create table raw.message_received (
    ce_source varchar not null,
    ce_id varchar not null,
    ce_time timestamp not null,
    identity_id uuid,
    provider_message_id varchar,
    provider varchar,
    number_id varchar,
    in_reply_to varchar,
    kind varchar,
    text_chars bigint,
    topic varchar not null,
    "partition" integer not null,
    "offset" bigint not null,
    received_at timestamp not null
);

create table raw.order_completed (
    ce_source varchar not null,
    ce_id varchar not null,
    ce_time timestamp not null,
    identity_id uuid,
    order_id varchar,
    amount decimal(18, 4),
    currency varchar,
    items json,
    coupon varchar,
    topic varchar not null,
    "partition" integer not null,
    "offset" bigint not null,
    received_at timestamp not null
);

create table raw.order_refunded (
    ce_source varchar not null,
    ce_id varchar not null,
    ce_time timestamp not null,
    identity_id uuid,
    order_id varchar,
    amount decimal(18, 4),
    currency varchar,
    topic varchar not null,
    "partition" integer not null,
    "offset" bigint not null,
    received_at timestamp not null
);

create table raw.customer_updated (
    ce_source varchar not null,
    ce_id varchar not null,
    ce_time timestamp not null,
    identity_id uuid,
    time_zone varchar,
    country varchar,
    language varchar,
    tags json,
    topic varchar not null,
    "partition" integer not null,
    "offset" bigint not null,
    received_at timestamp not null
);

create table raw.consent_changed (
    ce_source varchar not null,
    ce_id varchar not null,
    ce_time timestamp not null,
    identity_id uuid,
    category varchar,
    state varchar,
    source varchar,
    topic varchar not null,
    "partition" integer not null,
    "offset" bigint not null,
    received_at timestamp not null
);

create table raw.identity_unlinked (
    ce_source varchar not null,
    ce_id varchar not null,
    ce_time timestamp not null,
    identity_id uuid,
    source varchar,
    topic varchar not null,
    "partition" integer not null,
    "offset" bigint not null,
    received_at timestamp not null
);

create table raw.message_attempted (
    ce_source varchar not null,
    ce_id varchar not null,
    ce_time timestamp not null,
    identity_id uuid,
    message_id varchar,
    attempt_id varchar,
    plan_id varchar,
    campaign_id varchar,
    template varchar,
    category varchar,
    provider varchar,
    number_id varchar,
    provider_message_id varchar,
    outcome varchar,
    error_code varchar,
    error_class varchar,
    rule varchar,
    arm varchar,
    send_hour_local bigint,
    time_zone varchar,
    propensity double,
    policy_id varchar,
    cost_estimate decimal(18, 4),
    request_ms bigint,
    upload_ms bigint,
    content_chars bigint,
    content_opens_with_name boolean,
    content_has_call_to_action boolean,
    content_has_link boolean,
    content_media_kind varchar,
    topic varchar not null,
    "partition" integer not null,
    "offset" bigint not null,
    received_at timestamp not null
);

create table raw.decision_made (
    ce_source varchar not null,
    ce_id varchar not null,
    ce_time timestamp not null,
    identity_id uuid,
    plan_id varchar,
    campaign_id varchar,
    message_id varchar,
    stage varchar,
    verdict varchar,
    rule varchar,
    delay_until timestamp,
    arm varchar,
    send_hour_local bigint,
    time_zone varchar,
    hour_reason varchar,
    propensity double,
    policy_id varchar,
    inputs json,
    topic varchar not null,
    "partition" integer not null,
    "offset" bigint not null,
    received_at timestamp not null
);

-- Every identity ever seen. external_id is the caller's own key, and null for
-- a phone, BSUID or e-mail, which lie in pii.identifiers.
create table raw.identities (
    identity_id uuid not null,
    namespace varchar not null,
    external_id varchar
);

-- Pairs of identities that one event carried together, identity_a < identity_b,
-- with the record that showed the pair first. They outlive retention.
create table raw.identity_links (
    identity_a uuid not null,
    identity_b uuid not null,
    topic varchar not null,
    "partition" integer not null,
    "offset" bigint not null,
    received_at timestamp not null
);

-- Pairs whose direct link is void, whenever it was or will be seen.
create table raw.identity_unlinks (
    identity_a uuid not null,
    identity_b uuid not null,
    topic varchar not null,
    "partition" integer not null,
    "offset" bigint not null,
    received_at timestamp not null
);

-- pii: what is personal, and what may be. An event has a row here only if it
-- has any such value; extra holds the fields that its type does not know.

create table pii.message_sent (
    ce_source varchar not null,
    ce_id varchar not null,
    ce_time timestamp not null,
    identity_id uuid,
    extra json
);

create table pii.message_delivered (
    ce_source varchar not null,
    ce_id varchar not null,
    ce_time timestamp not null,
    identity_id uuid,
    extra json
);

create table pii.message_failed (
    ce_source varchar not null,
    ce_id varchar not null,
    ce_time timestamp not null,
    identity_id uuid,
    extra json
);

create table pii.message_read (
    ce_source varchar not null,
    ce_id varchar not null,
    ce_time timestamp not null,
    identity_id uuid,
    extra json
);

create table pii.link_clicked (
    ce_source varchar not null,
    ce_id varchar not null,
    ce_time timestamp not null,
    identity_id uuid,
    extra json
);

create table pii.message_received (
    ce_source varchar not null,
    ce_id varchar not null,
    ce_time timestamp not null,
    identity_id uuid,
    text varchar,
    payload varchar,
    referral json,
    extra json
);

create table pii.order_completed (
    ce_source varchar not null,
    ce_id varchar not null,
    ce_time timestamp not null,
    identity_id uuid,
    extra json
);

create table pii.order_refunded (
    ce_source varchar not null,
    ce_id varchar not null,
    ce_time timestamp not null,
    identity_id uuid,
    extra json
);

create table pii.customer_updated (
    ce_source varchar not null,
    ce_id varchar not null,
    ce_time timestamp not null,
    identity_id uuid,
    name varchar,
    extra json
);

create table pii.consent_changed (
    ce_source varchar not null,
    ce_id varchar not null,
    ce_time timestamp not null,
    identity_id uuid,
    evidence varchar,
    extra json
);

create table pii.identity_unlinked (
    ce_source varchar not null,
    ce_id varchar not null,
    ce_time timestamp not null,
    identity_id uuid,
    extra json
);

create table pii.message_attempted (
    ce_source varchar not null,
    ce_id varchar not null,
    ce_time timestamp not null,
    identity_id uuid,
    extra json
);

create table pii.decision_made (
    ce_source varchar not null,
    ce_id varchar not null,
    ce_time timestamp not null,
    identity_id uuid,
    extra json
);

-- Phones in E.164, BSUIDs and e-mails in lower case, by identity.
create table pii.identifiers (
    identity_id uuid not null,
    value varchar not null
);

-- Records that could not become events, in full. headers is an array of
-- {"key": base64, "value": base64 or null}, in the record's order.
create table pii.dead_letters (
    id bigint not null,
    topic varchar not null,
    "partition" integer not null,
    "offset" bigint not null,
    received_at timestamp not null,
    reason varchar not null,
    "key" blob,
    "value" blob,
    headers json not null,
    loaded_at timestamp not null
);

-- ops: how far everything is.

-- Where loading goes on, one row for each partition. It commits with the rows.
create table ops.offsets (
    cluster_id varchar not null,
    topic varchar not null,
    topic_id varchar not null,
    "partition" integer not null,
    next_offset bigint not null,
    loaded_at timestamp not null,
    primary key (topic, "partition")
);

-- Breaks in a log that an operator accepted, and where the partition stood
-- before; nulls where it stood nowhere.
create table ops.acceptances (
    cluster_id varchar not null,
    topic varchar not null,
    topic_id varchar not null,
    "partition" integer not null,
    next_offset bigint not null,
    previous_cluster_id varchar,
    previous_topic_id varchar,
    previous_offset bigint,
    break_kind varchar not null,
    detail varchar not null,
    accepted_by varchar not null,
    accepted_at timestamp not null
);

-- Dead letters up to and with this id are on the dead-letter topic.
create table ops.dead_letters_published (
    last_id bigint not null,
    published_at timestamp not null
);

-- Each time that a dead letter was sent to its topic again.
create table ops.dead_letters_replayed (
    id bigint not null,
    replayed_at timestamp not null
);
