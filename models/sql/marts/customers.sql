/* goodhour
doc: The 360-degree row of each customer whom any event up to model_as_of names.
grain: [customer_id]
checks:
  - not_null: [is_reachable, consent_marketing, has_receipts_off, value_segment, frequency_segment, heat_class, first_seen_at]
  - accepted_values: {column: unreachable_reason, values: [no_phone_or_bsuid, opted_out, no_consent]}
  - accepted_values: {column: heat_class, values: [hot, warm, cool, cold, never, new]}
  - accepted_values: {column: frequency_segment, values: [monthly, quarterly, occasional, lapsed, one_time, none]}
  - accepted_values: {column: rfm_segment, values: [champions, potential_loyalist, loyal, promising, new, cant_lose, at_risk, need_attention, about_to_sleep, lost, other]}
  - accepted_values: {column: value_segment, values: [low, mid, high, unknown]}
  - expression: "is_reachable = (unreachable_reason is null)"
  - expression: "order_count >= purchase_day_count and read_count <= delivered_count"
  - expression: "last_seen_at is null or last_seen_at <= model_as_of"
columns:
  customer_id: "the customer; names the connected component of identities"
  external_id: "the caller's own key, from the configured namespace; the smallest where there are several"
  external_id_count: "keys of that namespace; over 1 means that several records of the caller are one person"
  is_reachable: "a marketing message may be sent: there is an address and an opt-in, and no opt-out"
  unreachable_reason: "why not, the first that holds: no_phone_or_bsuid, opted_out, no_consent"
  consent_marketing: "opted_in, opted_out or none (nothing on record)"
  consent_utility: "opted_in, opted_out or none (nothing on record)"
  consent_authentication: "opted_in, opted_out or none (nothing on record)"
  country: "ISO 3166-1 alpha-2"
  time_zone: "IANA name"
  language: "BCP 47"
  tags: "the customer's tags"
  has_receipts_off: "answered a message and never sent a read receipt: reads cannot be seen and count nowhere"
  value_segment: "by average_order_value_amount: low below 50, mid to 200, high above; unknown without one"
  frequency_segment: "by purchase_gap_days: monthly, quarterly, occasional; lapsed when the last purchase is over two gaps ago; one_time, none"
  heat_class: "by last_engaged_at: hot within 7 days, warm 30, cool 90, else cold; never engaged: never without a delivery, cold after 5 deliveries over 90 days, else new"
  heat_score: "sum over all engagements of weight (read 1, click 2, reply 3, purchase day 5) halved every 14 days"
  recency_score: "1 to 5, 5 the most recent fifth; null where there are no scores (intermediate.rfm_cuts says why)"
  frequency_score: "1 to 5, 5 the most orders"
  monetary_score: "1 to 5, 5 the most spend; null where spend is unknown"
  rfm_segment: "named by the three scores, the first that holds: champions, potential_loyalist, loyal, promising, new, cant_lose, at_risk, need_attention, about_to_sleep, lost, else other; null without scores (intermediate.customer_rfm)"
  delivered_count: "messages that the customer has"
  read_count: "messages that the customer read: a receipt or an answer"
  replied_count: "messages that the customer answered"
  interaction_count_30d: "engagements in the last 30 days: reads, clicks, inbound messages, purchase days"
  read_rate: "mature messages read per delivered; null without one, or with receipts off"
  read_rate_count: "the mature delivered messages that read_rate is over"
  order_count: "orders, those of value 0 and those fully refunded included"
  purchase_day_count: "days with at least one order"
  unvalued_order_count: "orders whose value in currency is unknown: no rate, or a refund in another currency"
  purchase_gap_days: "mean days between purchase days; null with fewer than two"
  average_order_value_amount: "spend_amount per order, in currency; null without orders or where any order's value is unknown"
  spend_amount: "net revenue, in currency; 0 without orders, null where any order's value is unknown"
  refund_amount: "what went back, in currency; null where any order's value is unknown"
  currency: "the reporting currency, ISO 4217; null while there are no orders at all"
  first_seen_at: "the first event that names the customer, UTC"
  last_seen_at: "last sign of the customer: a delivery to the device, or an engagement, UTC"
  first_delivered_at: "first delivery, UTC"
  last_delivered_at: "last delivery, UTC"
  last_read_at: "last read receipt, UTC"
  last_replied_at: "last inbound message that is not a reaction, UTC"
  last_clicked_at: "last opening of a link, UTC"
  first_purchased_at: "first order, UTC"
  last_purchased_at: "last order, UTC"
  last_engaged_at: "last read, click, inbound message or purchase, UTC"
  model_as_of: "the instant this row tells of, UTC"
*/
with
reporting as (
    select any_value(currencies.reporting_currency) as currency
    from staging.currencies
),
joined as (
    select
        customers.customer_id,
        customer_keys.external_id,
        coalesce(customer_keys.external_id_count, 0) as external_id_count,
        case
            when not coalesce(customer_keys.has_address, false) then 'no_phone_or_bsuid'
            when customer_consents.consent_marketing = 'opted_out' then 'opted_out'
            when coalesce(customer_consents.consent_marketing, 'none') = 'none' then 'no_consent'
        end as unreachable_reason,
        coalesce(customer_consents.consent_marketing, 'none') as consent_marketing,
        coalesce(customer_consents.consent_utility, 'none') as consent_utility,
        coalesce(customer_consents.consent_authentication, 'none') as consent_authentication,
        customer_attributes.country,
        customer_attributes.time_zone,
        customer_attributes.language,
        customer_attributes.tags,
        coalesce(customer_messages.has_receipts_off, false) as has_receipts_off,
        case
            when customer_orders.spend_amount is null then 'unknown'
            when customer_orders.spend_amount < settings.value_mid_from * customer_orders.order_count then 'low'
            when customer_orders.spend_amount <= settings.value_mid_to * customer_orders.order_count then 'mid'
            else 'high'
        end as value_segment,
        -- In whole days on both sides, so that a boundary is exact. One purchase has
        -- no gap, so that it cannot be overdue: one_time never lapses, it goes cold.
        case
            when customer_orders.customer_id is null then 'none'
            when customer_orders.purchase_day_count = 1 then 'one_time'
            when
                (getvariable('as_of')::date - customer_orders.last_purchased_on)
                * (customer_orders.purchase_day_count - 1)
                > settings.frequency_lapsed_gaps
                * (customer_orders.last_purchased_on - customer_orders.first_purchased_on)
                then 'lapsed'
            when
                (customer_orders.last_purchased_on - customer_orders.first_purchased_on)
                <= settings.frequency_monthly_gap_days * (customer_orders.purchase_day_count - 1)
                then 'monthly'
            when
                (customer_orders.last_purchased_on - customer_orders.first_purchased_on)
                <= settings.frequency_quarterly_gap_days * (customer_orders.purchase_day_count - 1)
                then 'quarterly'
            else 'occasional'
        end as frequency_segment,
        case
            when
                customer_engagement.last_engaged_at >= getvariable('as_of') - to_days(settings.heat_hot_days)
                then 'hot'
            when
                customer_engagement.last_engaged_at >= getvariable('as_of') - to_days(settings.heat_warm_days)
                then 'warm'
            when
                customer_engagement.last_engaged_at >= getvariable('as_of') - to_days(settings.heat_cool_days)
                then 'cool'
            when customer_engagement.last_engaged_at is not null then 'cold'
            when coalesce(customer_messages.delivered_count, 0) = 0 then 'never'
            -- A count in a window would let people drift out of cold because nobody wrote to them.
            when
                customer_messages.delivered_count >= settings.never_engaged_cold_messages
                and customer_messages.first_delivered_at
                < getvariable('as_of') - to_days(settings.never_engaged_cold_days)
                then 'cold'
            else 'new'
        end as heat_class,
        coalesce(customer_engagement.heat_score, 0) as heat_score,
        customer_rfm.recency_score,
        customer_rfm.frequency_score,
        customer_rfm.monetary_score,
        customer_rfm.rfm_segment,
        coalesce(customer_messages.delivered_count, 0) as delivered_count,
        coalesce(customer_messages.read_count, 0) as read_count,
        coalesce(customer_messages.replied_count, 0) as replied_count,
        coalesce(customer_engagement.interaction_count, 0) as interaction_count_30d,
        coalesce(customer_messages.mature_read_count, 0) as mature_read_count,
        coalesce(customer_messages.mature_delivered_count, 0) as mature_delivered_count,
        coalesce(customer_orders.order_count, 0) as order_count,
        coalesce(customer_orders.purchase_day_count, 0) as purchase_day_count,
        coalesce(customer_orders.unvalued_order_count, 0) as unvalued_order_count,
        customer_orders.purchase_gap_days,
        case when customer_orders.customer_id is null then 0 else customer_orders.spend_amount end as spend_amount,
        case when customer_orders.customer_id is null then 0 else customer_orders.refund_amount end as refund_amount,
        reporting.currency,
        customers.first_seen_at,
        greatest(customer_messages.last_delivered_at, customer_engagement.last_engaged_at) as last_seen_at,
        customer_messages.first_delivered_at,
        customer_messages.last_delivered_at,
        customer_messages.last_read_at,
        customer_engagement.last_replied_at,
        customer_engagement.last_clicked_at,
        customer_orders.first_purchased_at,
        customer_orders.last_purchased_at,
        customer_engagement.last_engaged_at
    from intermediate.customers
    cross join staging.settings
    cross join reporting
    left join intermediate.customer_keys
        on customer_keys.customer_id = customers.customer_id
    left join intermediate.customer_consents
        on customer_consents.customer_id = customers.customer_id
    left join intermediate.customer_attributes
        on customer_attributes.customer_id = customers.customer_id
    left join intermediate.customer_messages
        on customer_messages.customer_id = customers.customer_id
    left join intermediate.customer_engagement
        on customer_engagement.customer_id = customers.customer_id
    left join intermediate.customer_orders
        on customer_orders.customer_id = customers.customer_id
    left join intermediate.customer_rfm
        on customer_rfm.customer_id = customers.customer_id
)
select
    joined.customer_id,
    joined.external_id,
    joined.external_id_count,
    joined.unreachable_reason is null as is_reachable,
    joined.unreachable_reason,
    joined.consent_marketing,
    joined.consent_utility,
    joined.consent_authentication,
    joined.country,
    joined.time_zone,
    joined.language,
    joined.tags,
    joined.has_receipts_off,
    joined.value_segment,
    joined.frequency_segment,
    joined.heat_class,
    joined.heat_score,
    joined.recency_score,
    joined.frequency_score,
    joined.monetary_score,
    joined.rfm_segment,
    joined.delivered_count,
    joined.read_count,
    joined.replied_count,
    joined.interaction_count_30d,
    case
        when not joined.has_receipts_off and joined.mature_delivered_count > 0
            then joined.mature_read_count / joined.mature_delivered_count
    end as read_rate,
    case when joined.has_receipts_off then 0 else joined.mature_delivered_count end as read_rate_count,
    joined.order_count,
    joined.purchase_day_count,
    joined.unvalued_order_count,
    joined.purchase_gap_days,
    case
        when joined.order_count > 0 then (joined.spend_amount / joined.order_count)::decimal(18, 4)
    end as average_order_value_amount,
    joined.spend_amount,
    joined.refund_amount,
    joined.currency,
    joined.first_seen_at,
    joined.last_seen_at,
    joined.first_delivered_at,
    joined.last_delivered_at,
    joined.last_read_at,
    joined.last_replied_at,
    joined.last_clicked_at,
    joined.first_purchased_at,
    joined.last_purchased_at,
    joined.last_engaged_at,
    getvariable('as_of') as model_as_of
from joined
