/* goodhour
doc: >-
  What the provider's statuses say of each message, whatever mix of them came and in any order. A status that
  carries only the provider's id belongs to the message that another event says has that id, else to a message
  that another system sent.
grain: [message_key]
checks:
  - not_null: [is_ours, first_at]
  - not_null: [customer_id]
    severity: warn
columns:
  message_key: "goodhour's id of the message, or provider:provider_message_id for one that another system sent"
  is_ours: "message_key is goodhour's id"
  provider: "meta, twilio, messagebird, zenvia or sandbox"
  provider_message_id: "the provider's id"
  number_id: "the business's number at the provider"
  customer_id: "the customer it went to"
  campaign_id: "the campaign that sent it"
  pricing_category: "the provider's price category"
  error_code: "the provider's error code of the first failure"
  error_class: "goodhour's class of that error"
  sent_at: "first sent status, UTC"
  delivered_at: "first delivered status, UTC"
  read_at: "first read receipt, UTC"
  failed_at: "first failed status, UTC"
  reached_at: "the first status that proves that the customer has it: delivered or read, UTC"
  first_at: "first status of any kind, UTC"
*/
with
statuses as not materialized (
    select
        message_sent.message_id,
        message_sent.provider,
        message_sent.provider_message_id,
        message_sent.number_id,
        message_sent.campaign_id,
        message_sent.customer_id,
        message_sent.pricing_category,
        message_sent.occurred_at as sent_at,
        null::timestamp as delivered_at,
        null::timestamp as read_at,
        null::timestamp as failed_at
    from staging.message_sent
    union all
    select
        message_delivered.message_id,
        message_delivered.provider,
        message_delivered.provider_message_id,
        message_delivered.number_id,
        message_delivered.campaign_id,
        message_delivered.customer_id,
        message_delivered.pricing_category,
        null,
        message_delivered.occurred_at,
        null,
        null
    from staging.message_delivered
    union all
    select
        message_read.message_id,
        message_read.provider,
        message_read.provider_message_id,
        message_read.number_id,
        message_read.campaign_id,
        message_read.customer_id,
        null,
        null,
        null,
        message_read.occurred_at,
        null
    from staging.message_read
    union all
    select
        message_failed.message_id,
        message_failed.provider,
        message_failed.provider_message_id,
        message_failed.number_id,
        message_failed.campaign_id,
        message_failed.customer_id,
        null,
        null,
        null,
        null,
        message_failed.occurred_at
    from staging.message_failed
),
-- The statuses of a message mostly agree in whose it is, so that they come down
-- to one row here, once, before anything else is asked.
alike as materialized (
    select
        statuses.message_id,
        statuses.provider,
        statuses.provider_message_id,
        statuses.number_id,
        statuses.campaign_id,
        statuses.customer_id,
        min(statuses.pricing_category) as pricing_category,
        min(statuses.sent_at) as sent_at,
        min(statuses.delivered_at) as delivered_at,
        min(statuses.read_at) as read_at,
        min(statuses.failed_at) as failed_at
    from statuses
    where statuses.message_id is not null or statuses.provider_message_id is not null
    group by all
),
-- The provider's ids that some status came with alone.
unnamed as (
    select distinct alike.provider, alike.provider_message_id
    from alike
    where alike.message_id is null
),
named as (
    select message_attempted.provider, message_attempted.provider_message_id, message_attempted.message_id
    from staging.message_attempted
    where message_attempted.message_id is not null and message_attempted.provider_message_id is not null
    union all
    select alike.provider, alike.provider_message_id, alike.message_id
    from alike
    where alike.message_id is not null and alike.provider_message_id is not null
),
message_ids as (
    select named.provider, named.provider_message_id, min(named.message_id) as message_id
    from named
    semi join unnamed
        on unnamed.provider = named.provider and unnamed.provider_message_id = named.provider_message_id
    group by all
),
keyed as not materialized (
    select
        coalesce(
            alike.message_id,
            message_ids.message_id,
            alike.provider || ':' || alike.provider_message_id
        ) as message_key,
        coalesce(alike.message_id, message_ids.message_id) is not null as is_ours,
        alike.provider,
        alike.provider_message_id,
        alike.number_id,
        alike.campaign_id,
        alike.customer_id,
        alike.pricing_category,
        alike.sent_at,
        alike.delivered_at,
        alike.read_at,
        alike.failed_at
    from alike
    left join message_ids
        on message_ids.provider = alike.provider
        -- Null, so that there is nothing to find, where the status says whose it is.
        and message_ids.provider_message_id
        = case when alike.message_id is null then alike.provider_message_id end
),
disagreeing as (
    select keyed.message_key
    from keyed
    group by keyed.message_key
    having count(*) > 1
),
folded as (
    select
        keyed.message_key,
        keyed.is_ours,
        keyed.provider,
        keyed.provider_message_id,
        keyed.number_id,
        keyed.campaign_id,
        keyed.customer_id,
        keyed.pricing_category,
        keyed.sent_at,
        keyed.delivered_at,
        keyed.read_at,
        keyed.failed_at
    from keyed
    anti join disagreeing
        on disagreeing.message_key = keyed.message_key
    where keyed.message_key is not null
    union all
    select
        keyed.message_key,
        bool_or(keyed.is_ours),
        min(keyed.provider),
        min(keyed.provider_message_id),
        min(keyed.number_id),
        min(keyed.campaign_id),
        min(keyed.customer_id),
        min(keyed.pricing_category),
        min(keyed.sent_at),
        min(keyed.delivered_at),
        min(keyed.read_at),
        min(keyed.failed_at)
    from keyed
    semi join disagreeing
        on disagreeing.message_key = keyed.message_key
    group by keyed.message_key
),
failures as (
    select
        coalesce(
            message_failed.message_id,
            message_ids.message_id,
            message_failed.provider || ':' || message_failed.provider_message_id
        ) as message_key,
        message_failed.error_code,
        message_failed.error_class
    from staging.message_failed
    left join message_ids
        on message_ids.provider = message_failed.provider
        and message_ids.provider_message_id
        = case when message_failed.message_id is null then message_failed.provider_message_id end
    qualify
        row_number() over (
            partition by coalesce(
                message_failed.message_id,
                message_ids.message_id,
                message_failed.provider || ':' || message_failed.provider_message_id
            )
            order by
                message_failed.occurred_at asc,
                message_failed.error_code asc nulls last,
                message_failed.error_class asc nulls last
        ) = 1
)
select
    folded.message_key,
    folded.is_ours,
    folded.provider,
    folded.provider_message_id,
    folded.number_id,
    folded.customer_id,
    folded.campaign_id,
    folded.pricing_category,
    failures.error_code,
    failures.error_class,
    folded.sent_at,
    folded.delivered_at,
    folded.read_at,
    folded.failed_at,
    least(folded.delivered_at, folded.read_at) as reached_at,
    least(folded.sent_at, folded.delivered_at, folded.read_at, folded.failed_at) as first_at
from folded
left join failures
    on failures.message_key = folded.message_key
