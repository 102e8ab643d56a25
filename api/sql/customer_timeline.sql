-- What happened to the customer $1, the last $2 entries, newest first.
-- detail differs by kind; times in it are RFC 3339 in UTC.
with
happened as (
    select
        messages.first_at as occurred_at,
        'message' as kind,
        json_object(
            'message_id', messages.message_id,
            'campaign_id', messages.campaign_id,
            'template', messages.template,
            'category', messages.category,
            'number_id', messages.number_id,
            'outcome', messages.outcome,
            'delivery_status', messages.delivery_status,
            'error_code', messages.error_code,
            'is_replied', messages.is_replied,
            'is_clicked', messages.is_clicked,
            'delivered_at', strftime(messages.delivered_at, '%Y-%m-%dT%H:%M:%SZ'),
            'read_at', strftime(messages.read_at, '%Y-%m-%dT%H:%M:%SZ')
        ) as detail
    from marts.messages
    where messages.customer_id = $1::uuid
    union all
    select
        message_received.occurred_at,
        'message_received',
        json_object(
            'kind', message_received.kind,
            'number_id', message_received.number_id,
            'text_chars', message_received.text_chars
        )
    from staging.message_received
    where
        message_received.identity_id in (
            select identity_customers.identity_id
            from staging.identity_customers
            where identity_customers.customer_id = $1::uuid
        )
    union all
    select
        orders.ordered_at,
        'order',
        json_object(
            'order_id', orders.order_id,
            'shop', orders.shop,
            'amount', orders.amount,
            'net_amount', orders.net_amount,
            'currency', orders.currency
        )
    from staging.orders
    where orders.customer_id = $1::uuid
    union all
    select
        consent_changed.occurred_at,
        'consent_changed',
        json_object(
            'category', consent_changed.category,
            'state', consent_changed.state,
            'source', consent_changed.source
        )
    from staging.consent_changed
    where
        consent_changed.identity_id in (
            select identity_customers.identity_id
            from staging.identity_customers
            where identity_customers.customer_id = $1::uuid
        )
)
select
    happened.occurred_at,
    happened.kind,
    happened.detail
from happened
order by happened.occurred_at desc, happened.kind, happened.detail
limit $2::bigint
