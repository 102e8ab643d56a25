/* goodhour
doc: >-
  All messages, with a campaign or without, counted by campaign, day, category and provider. Rates over several
  rows are made from the mature counts, which hold only messages old enough to have had their time:
  mature_delivered per mature_accepted, mature_read per mature_readable, mature_replied per mature_delivered,
  converted per conversion_base.
grain: [campaign_id, started_on, category, provider]
checks:
  - expression: "accepted_count + failed_count + unknown_count = message_count"
  - expression: "read_count <= delivered_count and delivered_count <= message_count"
columns:
  campaign_id: "the campaign; empty for messages without one"
  started_on: "day (UTC) of the first event of the message"
  category: "marketing, utility, authentication or service; unknown where nobody said"
  provider: "meta, twilio, messagebird, zenvia or sandbox; unknown where nobody said"
  message_count: "messages"
  attempted_count: "messages that our sender attempted"
  accepted_count: "messages that the provider accepted"
  failed_count: "messages that the provider refused"
  unknown_count: "messages whose outcome is unknown"
  sent_count: "accepted messages with any later status, or delivered"
  delivered_count: "messages that the customer has"
  read_count: "messages that the customer read"
  replied_count: "messages that the customer answered"
  clicked_count: "messages whose link was opened"
  ordered_count: "messages that an order is credited to"
  undelivered_count: "messages that failed after acceptance"
  attributed_order_count: "orders credited to the messages"
  attributed_unvalued_order_count: "of those, orders whose value in the reporting currency is unknown"
  mature_accepted_count: "accepted messages at least mature_hours old: the base of the delivery rate"
  mature_delivered_count: "of those, delivered: the base of the reply rate"
  mature_replied_count: "of those, answered"
  mature_readable_count: "mature delivered messages to customers whose receipts are seen: the base of the read rate"
  mature_read_count: "of those, read"
  conversion_base_count: "delivered messages at least conversion_days old: the base of the conversion rate"
  converted_count: "of those, messages that an order is credited to"
  attributed_amount: "net value of the orders credited, in the reporting currency, those of unknown value left out"
  cost_estimate_amount: "predicted cost of the accepted messages, in the account's currency"
  first_at: "first event of any of the messages, UTC"
  last_at: "first event of the last message, UTC"
*/
select
    coalesce(messages.campaign_id, '') as campaign_id,
    messages.first_at::date as started_on,
    coalesce(messages.category, 'unknown') as category,
    coalesce(messages.provider, 'unknown') as provider,
    count(*) as message_count,
    count(messages.attempted_at) as attempted_count,
    count_if(messages.outcome = 'accepted') as accepted_count,
    count_if(messages.outcome = 'failed') as failed_count,
    count_if(messages.outcome = 'unknown') as unknown_count,
    count_if(messages.sent_at is not null or messages.is_delivered) as sent_count,
    count_if(messages.is_delivered) as delivered_count,
    count_if(messages.is_read) as read_count,
    count_if(messages.is_replied) as replied_count,
    count_if(messages.is_clicked) as clicked_count,
    count_if(messages.attributed_order_count > 0) as ordered_count,
    count_if(messages.delivery_status = 'failed') as undelivered_count,
    sum(messages.attributed_order_count)::bigint as attributed_order_count,
    sum(messages.attributed_unvalued_order_count)::bigint as attributed_unvalued_order_count,
    count_if(messages.is_mature and messages.outcome = 'accepted') as mature_accepted_count,
    count_if(messages.is_mature and messages.is_delivered) as mature_delivered_count,
    count_if(messages.is_mature and messages.is_replied) as mature_replied_count,
    count_if(
        messages.is_mature and messages.is_delivered and not messages.has_receipts_off
    ) as mature_readable_count,
    count_if(messages.is_mature and messages.is_read and not messages.has_receipts_off) as mature_read_count,
    count_if(messages.is_conversion_mature and messages.is_delivered) as conversion_base_count,
    count_if(
        messages.is_conversion_mature and messages.is_delivered and messages.attributed_order_count > 0
    ) as converted_count,
    sum(messages.attributed_amount) as attributed_amount,
    sum(messages.cost_estimate_amount) filter (where messages.outcome = 'accepted') as cost_estimate_amount,
    min(messages.first_at) as first_at,
    max(messages.first_at) as last_at
from marts.messages
group by all
