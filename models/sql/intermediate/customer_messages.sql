/* goodhour
doc: One row per customer to whom a status of a message came, and what came of all of their messages.
grain: [customer_id]
columns:
  customer_id: "the customer"
  has_receipts_off: "answered a message and never sent a read receipt: their reads cannot be seen"
  delivered_count: "messages that the customer has: delivered, read or answered"
  read_count: "messages that the customer read: a receipt or an answer"
  replied_count: "messages that the customer answered"
  mature_delivered_count: "delivered_count of messages at least mature_hours old"
  mature_read_count: "read_count of messages at least mature_hours old"
  first_status_at: "first status of a message to the customer, UTC"
  first_delivered_at: "first delivery or read, UTC"
  last_delivered_at: "last delivery (the read where no delivery came), UTC"
  last_read_at: "last read receipt, UTC"
*/
with
answered as (
    select
        inbound_messages.message_key,
        bool_or(inbound_messages.is_reply) as is_replied
    from intermediate.inbound_messages
    where inbound_messages.message_key is not null
    group by all
),
messages as (
    select
        message_statuses.customer_id,
        message_statuses.reached_at is not null or answered.message_key is not null as is_delivered,
        message_statuses.read_at is not null or answered.message_key is not null as is_read,
        answered.message_key is not null as is_answered,
        coalesce(answered.is_replied, false) as is_replied,
        message_statuses.first_at <= getvariable('as_of') - to_hours(settings.mature_hours) as is_mature,
        message_statuses.first_at,
        message_statuses.reached_at,
        message_statuses.read_at
    from intermediate.message_statuses
    cross join staging.settings
    left join answered
        on answered.message_key = message_statuses.message_key
)
select
    messages.customer_id,
    count(messages.read_at) = 0 and bool_or(messages.is_answered) as has_receipts_off,
    count_if(messages.is_delivered) as delivered_count,
    count_if(messages.is_read) as read_count,
    count_if(messages.is_replied) as replied_count,
    count_if(messages.is_delivered and messages.is_mature) as mature_delivered_count,
    count_if(messages.is_read and messages.is_mature) as mature_read_count,
    min(messages.first_at) as first_status_at,
    min(messages.reached_at) as first_delivered_at,
    max(messages.reached_at) as last_delivered_at,
    max(messages.read_at) as last_read_at
from messages
group by messages.customer_id
