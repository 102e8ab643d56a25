/* goodhour
doc: >-
  One row per inbound message of a customer, however often it was reported, and the message of ours that it
  answers: the one that it names; where it names none, the last one that reached the customer from the same
  number within reply_hours before. What names a message that we do not know answers nothing of ours.
grain: [provider, provider_message_id]
checks:
  - not_null: [occurred_at]
  - not_null: [customer_id]
    severity: warn
  - accepted_values: {column: answer_rule, values: [in_reply_to, last_delivered]}
columns:
  provider: "meta, twilio, messagebird, zenvia or sandbox"
  provider_message_id: "the provider's id of the inbound message"
  customer_id: "the customer who wrote"
  number_id: "the business's number that was written to"
  kind: "text, button, list, flow, image, …, reaction, unsupported, other; system notices are not here"
  is_reply: "it is words, a button, media: anything but a reaction"
  message_key: "the message of ours that it answers; null for none"
  answer_rule: "how that is known: in_reply_to or last_delivered"
  occurred_at: "when the customer wrote, UTC"
*/
with
-- A notice of the platform (kind system) is not the customer's word.
inbound as (
    select
        message_received.provider,
        message_received.provider_message_id,
        message_received.customer_id,
        message_received.number_id,
        message_received.in_reply_to,
        message_received.kind,
        message_received.kind is distinct from 'reaction' as is_reply,
        message_received.occurred_at
    from staging.message_received
    where
        message_received.kind is distinct from 'system'
        and message_received.provider is not null
        and message_received.provider_message_id is not null
    qualify
        row_number() over (
            partition by message_received.provider, message_received.provider_message_id
            order by message_received.occurred_at asc, message_received.event_source asc, message_received.event_id asc
        ) = 1
),
-- An answer may overtake every status of the message: then the attempt alone
-- knows the provider's id.
sent as (
    select message_statuses.provider, message_statuses.provider_message_id, message_statuses.message_key
    from intermediate.message_statuses
    union all
    select message_attempted.provider, message_attempted.provider_message_id, message_attempted.message_id
    from staging.message_attempted
    where message_attempted.message_id is not null
),
named_answers as (
    select inbound.provider, inbound.provider_message_id, min(sent.message_key) as message_key
    from inbound
    inner join sent
        on sent.provider = inbound.provider
        and sent.provider_message_id = inbound.in_reply_to
    group by all
),
-- Both sides by spans of reply_hours: what lies within reply_hours before an
-- instant is in the instant's span or the one before, so that a customer's long
-- history is not compared with itself.
nameless as (
    select
        inbound.provider,
        inbound.provider_message_id,
        inbound.customer_id,
        inbound.number_id,
        inbound.occurred_at,
        inbound.occurred_at - to_hours(settings.reply_hours) as since,
        unnest([
            epoch_us(inbound.occurred_at) // (settings.reply_hours * 3_600_000_000),
            epoch_us(inbound.occurred_at) // (settings.reply_hours * 3_600_000_000) - 1
        ]) as span
    from inbound
    cross join staging.settings
    where inbound.in_reply_to is null
),
reached as (
    select
        message_statuses.message_key,
        message_statuses.customer_id,
        message_statuses.number_id,
        message_statuses.reached_at,
        epoch_us(message_statuses.reached_at) // (settings.reply_hours * 3_600_000_000) as span
    from intermediate.message_statuses
    cross join staging.settings
    where message_statuses.reached_at is not null
),
nameless_answers as (
    select nameless.provider, nameless.provider_message_id, reached.message_key
    from nameless
    inner join reached
        on reached.customer_id = nameless.customer_id
        and reached.number_id = nameless.number_id
        and reached.span = nameless.span
        and reached.reached_at between nameless.since and nameless.occurred_at
    qualify
        row_number() over (
            partition by nameless.provider, nameless.provider_message_id
            order by reached.reached_at desc, reached.message_key asc
        ) = 1
)
select
    inbound.provider,
    inbound.provider_message_id,
    inbound.customer_id,
    inbound.number_id,
    inbound.kind,
    inbound.is_reply,
    coalesce(named_answers.message_key, nameless_answers.message_key) as message_key,
    case
        when named_answers.message_key is not null then 'in_reply_to'
        when nameless_answers.message_key is not null then 'last_delivered'
    end as answer_rule,
    inbound.occurred_at
from inbound
left join named_answers
    on named_answers.provider = inbound.provider
    and named_answers.provider_message_id = inbound.provider_message_id
left join nameless_answers
    on nameless_answers.provider = inbound.provider
    and nameless_answers.provider_message_id = inbound.provider_message_id
