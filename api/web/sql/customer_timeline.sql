-- What happened to the customer $1, the last $2 entries, newest first, in words
-- and without personal data.
with
identities as (
    select identity_customers.identity_id
    from staging.identity_customers
    where identity_customers.customer_id = try_cast($1::varchar as uuid)
),
happened as (
    select
        messages.first_at as occurred_at,
        'message' as what,
        concat_ws(
            ' · ',
            coalesce(messages.delivery_status, messages.outcome),
            messages.category,
            messages.template,
            'campaign ' || nullif(messages.campaign_id, ''),
            'read ' || strftime(messages.read_at, '%Y-%m-%d %H:%M'),
            case when messages.is_replied then 'answered' end,
            case when messages.is_clicked then 'clicked' end,
            'error ' || messages.error_code
        ) as detail
    from marts.messages
    where messages.customer_id = try_cast($1::varchar as uuid)
    union all
    select
        message_received.occurred_at,
        'wrote to us',
        concat_ws(' · ', message_received.kind, message_received.text_chars::varchar || ' characters')
    from staging.message_received
    inner join identities
        on identities.identity_id = message_received.identity_id
    union all
    select
        orders.ordered_at,
        'order',
        concat_ws(
            ' · ',
            orders.order_id,
            orders.amount::decimal(18, 2)::varchar || ' ' || orders.currency,
            case when orders.refund_amount > 0 then 'net ' || orders.net_amount::decimal(18, 2)::varchar end
        )
    from staging.orders
    where orders.customer_id = try_cast($1::varchar as uuid)
    union all
    select
        consent_changed.occurred_at,
        'consent',
        concat_ws(' · ', consent_changed.category, replace(consent_changed.state, '_', ' '), 'by ' || consent_changed.source)
    from staging.consent_changed
    inner join identities
        on identities.identity_id = consent_changed.identity_id
)
select
    happened.occurred_at,
    happened.what,
    happened.detail
from happened
order by happened.occurred_at desc, happened.what, happened.detail
limit $2::bigint
