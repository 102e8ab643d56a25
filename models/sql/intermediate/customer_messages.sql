/* goodhour
doc: One row per customer of whose messages anything is known besides our attempt, and what came of all of them.
grain: [customer_id]
columns:
  customer_id: "the customer"
  has_receipts_off: "answered a message and never sent a read receipt: their reads cannot be seen"
  delivered_count: "messages that the customer has: delivered, read or answered"
  read_count: "messages that the customer read: a receipt or an answer"
  replied_count: "messages that the customer answered"
  mature_delivered_count: "delivered_count of messages at least mature_hours old"
  mature_read_count: "read_count of messages at least mature_hours old"
  first_known_at: "first status or answer of a message, UTC"
  first_delivered_at: "first delivery or read, UTC"
  last_delivered_at: "last delivery (the read where no delivery came), UTC"
  last_read_at: "last read receipt, UTC"
*/
with
answered as (
    select
        inbound_messages.message_key,
        min(inbound_messages.customer_id) as customer_id,
        bool_or(inbound_messages.is_reply) as is_replied,
        min(inbound_messages.occurred_at) as answered_at
    from intermediate.inbound_messages
    where inbound_messages.message_key is not null
    group by all
),
messages as (
    select
        coalesce(message_statuses.customer_id, answered.customer_id) as customer_id,
        message_statuses.reached_at is not null or answered.message_key is not null as is_delivered,
        message_statuses.read_at is not null or answered.message_key is not null as is_read,
        answered.message_key is not null as is_answered,
        coalesce(answered.is_replied, false) as is_replied,
        coalesce(message_statuses.first_at, answered.answered_at) as known_at,
        message_statuses.reached_at,
        message_statuses.read_at
    from intermediate.message_statuses
    full join answered
        on answered.message_key = message_statuses.message_key
),
ripened as (
    select
        messages.customer_id,
        messages.is_delivered,
        messages.is_read,
        messages.is_answered,
        messages.is_replied,
        messages.known_at <= getvariable('as_of') - to_hours(settings.mature_hours) as is_mature,
        messages.known_at,
        messages.reached_at,
        messages.read_at
    from messages
    cross join staging.settings
    where messages.customer_id is not null
)
select
    ripened.customer_id,
    count(ripened.read_at) = 0 and bool_or(ripened.is_answered) as has_receipts_off,
    count_if(ripened.is_delivered) as delivered_count,
    count_if(ripened.is_read) as read_count,
    count_if(ripened.is_replied) as replied_count,
    count_if(ripened.is_delivered and ripened.is_mature) as mature_delivered_count,
    count_if(ripened.is_read and ripened.is_mature) as mature_read_count,
    min(ripened.known_at) as first_known_at,
    min(ripened.reached_at) as first_delivered_at,
    max(ripened.reached_at) as last_delivered_at,
    max(ripened.read_at) as last_read_at
from ripened
group by ripened.customer_id
