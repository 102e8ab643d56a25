/* goodhour
doc: >-
  The life of each message, those that another system sent included. delivery_status is the furthest that is
  known: a delivery or a read wins over a failure, whichever came first. A read proves a delivery and an
  answer proves a read; then the flag is set and the time stays null.
grain: [message_key]
checks:
  - not_null: [customer_id]
    severity: warn
  - not_null: [outcome, is_delivered, is_read, is_replied, is_clicked, is_mature, first_at]
  - accepted_values: {column: outcome, values: [accepted, failed, unknown]}
  - accepted_values: {column: delivery_status, values: [sent, delivered, read, failed]}
  - expression: "attributed_order_count >= 0"
columns:
  message_key: "message_id, or provider:provider_message_id for a message that another system sent"
  message_id: "goodhour's id of the message; null for a message that another system sent"
  provider: "meta, twilio, messagebird, zenvia or sandbox"
  provider_message_id: "the provider's id"
  number_id: "the business's number at the provider"
  customer_id: "the customer it went to"
  plan_id: "the plan it belongs to"
  campaign_id: "the campaign that sent it"
  template: "name and language of the template"
  category: "marketing, utility, authentication or service; the sender's word, else the provider's price category"
  arm: "treatment, holdout, control, time_holdout"
  send_hour_local: "hour of day 0-23 in the customer's zone"
  propensity: "probability of this hour under the policy"
  outcome: "accepted, failed (the provider refused it) or unknown; a status or an answer proves that it was accepted"
  delivery_status: "after acceptance: sent, delivered, read or failed; null where nothing is known"
  error_code: "the provider's code of the refusal, or of the failure after acceptance"
  error_class: "goodhour's class of that error"
  is_delivered: "the customer has it"
  is_delivered_imputed: "is_delivered is known only from a read or an answer"
  is_read: "the customer read it"
  is_read_imputed: "is_read is known only from an answer"
  is_replied: "the customer answered it in words, by button or with media"
  is_clicked: "a link in it was opened"
  has_receipts_off: "the customer sends no read receipts: leave the message out of read rates"
  is_mature: "its first status or answer, else the attempt, is at least mature_hours ago: it counts in delivery, read and reply rates"
  is_conversion_mature: "the same is at least conversion_days ago: it counts in conversion rates"
  attempt_count: "attempts of the sender"
  attributed_order_count: "orders credited to it: it was the last marketing message before them"
  attributed_unvalued_order_count: "of those, orders whose value in the reporting currency is unknown"
  cost_estimate_amount: "predicted cost in the account's currency"
  attributed_amount: "net value of the orders credited to it, in the reporting currency, those of unknown value left out"
  attempted_at: "first attempt, UTC"
  accepted_at: "when the provider accepted it, UTC; null where only a later status shows it"
  sent_at: "first sent status, UTC"
  delivered_at: "first delivered status, UTC"
  read_at: "first read receipt, UTC"
  replied_at: "first reply, UTC"
  clicked_at: "first opening of a link, UTC"
  failed_at: "first failed status after acceptance, UTC"
  first_at: "the first event of the message, UTC"
*/
with
-- Of several attempts at one message at most one was accepted: that one tells of
-- the message, else the last.
retried as (
    select message_attempted.message_id
    from staging.message_attempted
    group by message_attempted.message_id
    having count(*) > 1
),
telling as (
    select
        message_attempted.message_id,
        message_attempted.event_source,
        message_attempted.event_id,
        -- a person who tells an unknown message's outcome attempts nothing
        count(*) filter (where message_attempted.rule is distinct from 'resolved_by_person')
            over (partition by message_attempted.message_id) as attempt_count,
        min(message_attempted.occurred_at) over (partition by message_attempted.message_id) as attempted_at
    from staging.message_attempted
    semi join retried
        on retried.message_id = message_attempted.message_id
    qualify
        row_number() over (
            partition by message_attempted.message_id
            order by
                message_attempted.outcome = 'accepted' desc,
                message_attempted.occurred_at desc,
                message_attempted.event_source asc,
                message_attempted.event_id asc
        ) = 1
),
attempts as (
    select
        message_attempted.message_id,
        message_attempted.provider,
        message_attempted.provider_message_id,
        message_attempted.number_id,
        message_attempted.customer_id,
        message_attempted.plan_id,
        message_attempted.campaign_id,
        message_attempted.template,
        message_attempted.category,
        message_attempted.arm,
        message_attempted.send_hour_local,
        message_attempted.propensity,
        message_attempted.outcome,
        message_attempted.error_code,
        message_attempted.error_class,
        message_attempted.cost_estimate,
        coalesce(telling.attempt_count, 1) as attempt_count,
        coalesce(telling.attempted_at, message_attempted.occurred_at) as attempted_at,
        message_attempted.occurred_at
    from staging.message_attempted
    left join telling
        on telling.message_id = message_attempted.message_id
    where
        message_attempted.message_id is not null
        and (
            telling.message_id is null
            or (
                telling.event_source = message_attempted.event_source
                and telling.event_id = message_attempted.event_id
            )
        )
),
answered as (
    select
        inbound_messages.message_key,
        min(inbound_messages.occurred_at) filter (where inbound_messages.is_reply) as replied_at,
        min(inbound_messages.occurred_at) as answered_at
    from intermediate.inbound_messages
    where inbound_messages.message_key is not null
    group by all
),
clicked as (
    select link_clicked.message_id, min(link_clicked.occurred_at) as clicked_at
    from staging.link_clicked
    where link_clicked.message_id is not null
    group by all
),
credited as (
    select
        order_credits.message_key,
        count(*) as order_count,
        count(*) - count(order_credits.net_reporting_amount) as unvalued_order_count,
        coalesce(sum(order_credits.net_reporting_amount), 0) as amount
    from intermediate.order_credits
    group by all
),
receipts_off as (
    select customer_messages.customer_id
    from intermediate.customer_messages
    where customer_messages.has_receipts_off
),
messages as (
    select
        coalesce(attempts.message_id, message_statuses.message_key) as message_key,
        coalesce(
            attempts.message_id,
            case when message_statuses.is_ours then message_statuses.message_key end
        ) as message_id,
        coalesce(attempts.provider, message_statuses.provider) as provider,
        coalesce(attempts.provider_message_id, message_statuses.provider_message_id) as provider_message_id,
        coalesce(attempts.number_id, message_statuses.number_id) as number_id,
        -- The phone that has the message says whose it is, also after an unlink.
        coalesce(message_statuses.customer_id, attempts.customer_id) as customer_id,
        attempts.plan_id,
        coalesce(attempts.campaign_id, message_statuses.campaign_id) as campaign_id,
        attempts.template,
        coalesce(
            attempts.category,
            case
                when message_statuses.pricing_category in ('marketing', 'utility', 'authentication', 'service')
                    then message_statuses.pricing_category
            end
        ) as category,
        attempts.arm,
        attempts.send_hour_local,
        attempts.propensity,
        attempts.outcome as attempt_outcome,
        attempts.error_code as refusal_code,
        attempts.error_class as refusal_class,
        message_statuses.error_code as failure_code,
        message_statuses.error_class as failure_class,
        coalesce(attempts.attempt_count, 0) as attempt_count,
        attempts.cost_estimate as cost_estimate_amount,
        attempts.attempted_at,
        case when attempts.outcome = 'accepted' then attempts.occurred_at end as accepted_at,
        message_statuses.sent_at,
        message_statuses.delivered_at,
        message_statuses.read_at,
        message_statuses.failed_at,
        message_statuses.reached_at,
        message_statuses.first_at as status_at,
        least(attempts.attempted_at, message_statuses.first_at) as first_at
    from attempts
    full join intermediate.message_statuses
        on message_statuses.message_key = attempts.message_id
),
lives as (
    select
        messages.message_key,
        messages.message_id,
        messages.provider,
        messages.provider_message_id,
        messages.number_id,
        messages.customer_id,
        messages.plan_id,
        messages.campaign_id,
        messages.template,
        messages.category,
        messages.arm,
        messages.send_hour_local,
        messages.propensity,
        case
            when messages.attempt_outcome = 'accepted' then 'accepted'
            when
                messages.sent_at is not null
                or messages.reached_at is not null
                or answered.message_key is not null
                then 'accepted'
            -- A failed status is a failure after acceptance, unless the refusal is known.
            when messages.attempt_outcome = 'failed' then 'failed'
            when messages.failed_at is not null then 'accepted'
            else messages.attempt_outcome
        end as outcome,
        messages.refusal_code,
        messages.refusal_class,
        messages.failure_code,
        messages.failure_class,
        messages.reached_at is not null or answered.message_key is not null as is_delivered,
        messages.read_at is not null or answered.message_key is not null as is_read,
        receipts_off.customer_id is not null as has_receipts_off,
        coalesce(messages.status_at, answered.answered_at, messages.attempted_at) as known_at,
        messages.attempt_count,
        coalesce(credited.order_count, 0) as attributed_order_count,
        coalesce(credited.unvalued_order_count, 0) as attributed_unvalued_order_count,
        messages.cost_estimate_amount,
        coalesce(credited.amount, 0) as attributed_amount,
        messages.attempted_at,
        messages.accepted_at,
        messages.sent_at,
        messages.delivered_at,
        messages.read_at,
        answered.replied_at,
        clicked.clicked_at,
        messages.failed_at,
        messages.first_at
    from messages
    left join answered
        on answered.message_key = messages.message_key
    left join clicked
        on clicked.message_id = messages.message_id
    left join credited
        on credited.message_key = messages.message_key
    left join receipts_off
        on receipts_off.customer_id = messages.customer_id
)
select
    lives.message_key,
    lives.message_id,
    lives.provider,
    lives.provider_message_id,
    lives.number_id,
    lives.customer_id,
    lives.plan_id,
    lives.campaign_id,
    lives.template,
    lives.category,
    lives.arm,
    lives.send_hour_local,
    lives.propensity,
    lives.outcome,
    case
        when lives.is_read then 'read'
        when lives.is_delivered then 'delivered'
        when lives.outcome <> 'accepted' then null
        when lives.failed_at is not null then 'failed'
        when lives.sent_at is not null then 'sent'
    end as delivery_status,
    case when lives.outcome = 'failed' then lives.refusal_code else lives.failure_code end as error_code,
    case when lives.outcome = 'failed' then lives.refusal_class else lives.failure_class end as error_class,
    lives.is_delivered,
    lives.is_delivered and lives.delivered_at is null as is_delivered_imputed,
    lives.is_read,
    lives.is_read and lives.read_at is null as is_read_imputed,
    lives.replied_at is not null as is_replied,
    lives.clicked_at is not null as is_clicked,
    lives.has_receipts_off,
    lives.known_at <= getvariable('as_of') - to_hours(settings.mature_hours) as is_mature,
    lives.known_at <= getvariable('as_of') - to_days(settings.conversion_days) as is_conversion_mature,
    lives.attempt_count,
    lives.attributed_order_count,
    lives.attributed_unvalued_order_count,
    lives.cost_estimate_amount,
    lives.attributed_amount,
    lives.attempted_at,
    lives.accepted_at,
    lives.sent_at,
    lives.delivered_at,
    lives.read_at,
    lives.replied_at,
    lives.clicked_at,
    lives.failed_at,
    lives.first_at
from lives
cross join staging.settings
