/* goodhour
doc: >-
  One row per customer who ever engaged. An engagement is a message read, a message whose link was opened, an
  inbound message (buttons and reactions too), or a day with a purchase. Who has read receipts off has no reads.
  The heat of an engagement is its weight, halved every heat_half_life_days. It is summed as whole multiples of
  1e-15, relative to as_of as the landmark: so the sum needs no order, and parts of it can be added up.
grain: [customer_id]
checks:
  - expression: "heat_score >= 0"
columns:
  customer_id: "the customer"
  heat_score: "sum of the heat of all engagements, as of as_of"
  interaction_count: "engagements in the last interaction_days"
  last_replied_at: "last inbound message that is not a reaction, UTC"
  last_clicked_at: "last opening of a link, UTC"
  last_engaged_at: "last engagement, UTC"
*/
with
engagements as (
    select
        message_statuses.customer_id,
        settings.heat_read_weight as weight,
        message_statuses.read_at as engaged_at,
        null::timestamp as replied_at,
        null::timestamp as clicked_at
    from intermediate.message_statuses
    cross join staging.settings
    where message_statuses.read_at is not null
    union all
    -- A link opened again counts once, when it was opened last.
    select
        link_clicked.customer_id,
        any_value(settings.heat_click_weight),
        max(link_clicked.occurred_at),
        null,
        max(link_clicked.occurred_at)
    from staging.link_clicked
    cross join staging.settings
    group by link_clicked.customer_id, coalesce(link_clicked.message_id, link_clicked.token, link_clicked.event_id)
    union all
    select
        inbound_messages.customer_id,
        settings.heat_reply_weight,
        inbound_messages.occurred_at,
        case when inbound_messages.is_reply then inbound_messages.occurred_at end,
        null
    from intermediate.inbound_messages
    cross join staging.settings
    union all
    select
        orders.customer_id,
        any_value(settings.heat_purchase_weight),
        max(orders.ordered_at),
        null,
        null
    from staging.orders
    cross join staging.settings
    group by orders.customer_id, orders.ordered_at::date
)
select
    engagements.customer_id,
    sum((
        engagements.weight
        * pow(2, -(epoch_us(getvariable('as_of')) - epoch_us(engagements.engaged_at))
            / (settings.heat_half_life_days * 86_400_000_000))
        * 1e15
    )::bigint) / 1e15 as heat_score,
    count_if(
        engagements.engaged_at >= getvariable('as_of') - to_days(settings.interaction_days)
    ) as interaction_count,
    max(engagements.replied_at) as last_replied_at,
    max(engagements.clicked_at) as last_clicked_at,
    max(engagements.engaged_at) as last_engaged_at
from engagements
cross join staging.settings
where engagements.customer_id is not null
group by engagements.customer_id
