/* goodhour
doc: >-
  The funnel of each campaign. The planned counts are of the plans' messages by their state now; the others of
  the messages that there are. Rates are over mature messages only, and carry their n.
grain: [campaign_id]
checks:
  - expression: "planned_count = waiting_count + held_out_count + suppressed_count + expired_count + cancelled_count + planned_attempted_count"
  - expression: "accepted_count + failed_count + unknown_count = message_count"
columns:
  campaign_id: "the campaign"
  plan_count: "plans of the campaign"
  planned_count: "planned messages"
  waiting_count: "of those, not attempted yet"
  held_out_count: "of those, held out by the experiment"
  suppressed_count: "of those, blocked by a rule"
  expired_count: "of those, too late for their window"
  cancelled_count: "of those, cancelled"
  planned_attempted_count: "of those, accepted, failed or unknown"
  message_count: "messages that carry the campaign's id"
  attempted_count: "messages that our sender attempted"
  accepted_count: "messages that the provider accepted"
  failed_count: "messages that the provider refused"
  unknown_count: "messages whose outcome is unknown"
  sent_count: "messages handed to WhatsApp, or further"
  delivered_count: "messages that the customer has"
  read_count: "messages that the customer read"
  replied_count: "messages that the customer answered"
  clicked_count: "messages whose link was opened"
  ordered_count: "messages that an order is credited to"
  undelivered_count: "messages that failed after acceptance"
  attributed_order_count: "orders credited to the messages"
  attributed_unvalued_order_count: "of those, orders whose value in the reporting currency is unknown"
  delivery_rate: "delivered per accepted, of messages at least mature_hours old"
  delivery_rate_count: "the messages that delivery_rate is over"
  read_rate: "read per delivered, of messages at least mature_hours old to customers whose receipts are seen"
  read_rate_count: "the messages that read_rate is over"
  reply_rate: "answered per delivered, of messages at least mature_hours old"
  reply_rate_count: "the messages that reply_rate is over"
  conversion_rate: "messages with a credited order per delivered, of messages at least conversion_days old"
  conversion_rate_count: "the messages that conversion_rate is over"
  attributed_amount: "net revenue credited, in currency, orders of unknown value left out; credited is not caused"
  currency: "the reporting currency, ISO 4217"
  cost_estimate_amount: "predicted cost of the accepted messages, in the account's currency; null where nobody predicted any"
  planned_at: "first verdict of a plan, UTC"
  first_at: "first event of a message, UTC"
  last_at: "first event of the last message, UTC"
*/
with
planned as (
    select
        decisions.campaign_id,
        count(distinct decisions.plan_id) as plan_count,
        count(*) as planned_count,
        count_if(decisions.state = 'waiting') as waiting_count,
        count_if(decisions.state = 'held_out') as held_out_count,
        count_if(decisions.state = 'suppressed') as suppressed_count,
        count_if(decisions.state = 'expired') as expired_count,
        count_if(decisions.state = 'cancelled') as cancelled_count,
        count_if(decisions.state in ('accepted', 'failed', 'unknown')) as planned_attempted_count,
        min(decisions.planned_at) as planned_at
    from marts.decisions
    where decisions.campaign_id is not null
    group by decisions.campaign_id
),
messages as (
    select
        funnel.campaign_id,
        sum(funnel.message_count)::bigint as message_count,
        sum(funnel.attempted_count)::bigint as attempted_count,
        sum(funnel.accepted_count)::bigint as accepted_count,
        sum(funnel.failed_count)::bigint as failed_count,
        sum(funnel.unknown_count)::bigint as unknown_count,
        sum(funnel.sent_count)::bigint as sent_count,
        sum(funnel.delivered_count)::bigint as delivered_count,
        sum(funnel.read_count)::bigint as read_count,
        sum(funnel.replied_count)::bigint as replied_count,
        sum(funnel.clicked_count)::bigint as clicked_count,
        sum(funnel.ordered_count)::bigint as ordered_count,
        sum(funnel.undelivered_count)::bigint as undelivered_count,
        sum(funnel.attributed_order_count)::bigint as attributed_order_count,
        sum(funnel.attributed_unvalued_order_count)::bigint as attributed_unvalued_order_count,
        sum(funnel.mature_accepted_count)::bigint as mature_accepted_count,
        sum(funnel.mature_delivered_count)::bigint as mature_delivered_count,
        sum(funnel.mature_replied_count)::bigint as mature_replied_count,
        sum(funnel.mature_readable_count)::bigint as mature_readable_count,
        sum(funnel.mature_read_count)::bigint as mature_read_count,
        sum(funnel.conversion_base_count)::bigint as conversion_base_count,
        sum(funnel.converted_count)::bigint as converted_count,
        sum(funnel.attributed_amount) as attributed_amount,
        sum(funnel.cost_estimate_amount) as cost_estimate_amount,
        min(funnel.first_at) as first_at,
        max(funnel.last_at) as last_at
    from marts.funnel
    where funnel.campaign_id <> ''
    group by funnel.campaign_id
),
reporting as (
    select any_value(currencies.reporting_currency) as currency
    from staging.currencies
)
select
    coalesce(planned.campaign_id, messages.campaign_id) as campaign_id,
    coalesce(planned.plan_count, 0) as plan_count,
    coalesce(planned.planned_count, 0) as planned_count,
    coalesce(planned.waiting_count, 0) as waiting_count,
    coalesce(planned.held_out_count, 0) as held_out_count,
    coalesce(planned.suppressed_count, 0) as suppressed_count,
    coalesce(planned.expired_count, 0) as expired_count,
    coalesce(planned.cancelled_count, 0) as cancelled_count,
    coalesce(planned.planned_attempted_count, 0) as planned_attempted_count,
    coalesce(messages.message_count, 0) as message_count,
    coalesce(messages.attempted_count, 0) as attempted_count,
    coalesce(messages.accepted_count, 0) as accepted_count,
    coalesce(messages.failed_count, 0) as failed_count,
    coalesce(messages.unknown_count, 0) as unknown_count,
    coalesce(messages.sent_count, 0) as sent_count,
    coalesce(messages.delivered_count, 0) as delivered_count,
    coalesce(messages.read_count, 0) as read_count,
    coalesce(messages.replied_count, 0) as replied_count,
    coalesce(messages.clicked_count, 0) as clicked_count,
    coalesce(messages.ordered_count, 0) as ordered_count,
    coalesce(messages.undelivered_count, 0) as undelivered_count,
    coalesce(messages.attributed_order_count, 0) as attributed_order_count,
    coalesce(messages.attributed_unvalued_order_count, 0) as attributed_unvalued_order_count,
    messages.mature_delivered_count / nullif(messages.mature_accepted_count, 0) as delivery_rate,
    coalesce(messages.mature_accepted_count, 0) as delivery_rate_count,
    messages.mature_read_count / nullif(messages.mature_readable_count, 0) as read_rate,
    coalesce(messages.mature_readable_count, 0) as read_rate_count,
    messages.mature_replied_count / nullif(messages.mature_delivered_count, 0) as reply_rate,
    coalesce(messages.mature_delivered_count, 0) as reply_rate_count,
    messages.converted_count / nullif(messages.conversion_base_count, 0) as conversion_rate,
    coalesce(messages.conversion_base_count, 0) as conversion_rate_count,
    coalesce(messages.attributed_amount, 0) as attributed_amount,
    reporting.currency,
    messages.cost_estimate_amount,
    planned.planned_at,
    messages.first_at,
    messages.last_at
from planned
full join messages
    on messages.campaign_id = planned.campaign_id
cross join reporting
