-- The orders of a shop's export. It has a row for each line of an order; what
-- holds for the whole order stands on the first of its rows, or on all of them.
-- The orders are made in parts, since what is gathered of them stays in memory.
create macro pick(parts, part) as table
with lines as (
    select
        sheet.file_no,
        sheet.at_line,
        nullif(trim(sheet.order_id), '') as order_id,
        nullif(trim(sheet.customer), '') as customer,
        -- Spreadsheets and Shopify put an apostrophe before what is not a number.
        nullif(ltrim(trim(sheet.phone), ''''), '') as phone,
        nullif(ltrim(trim(sheet.billing_phone), ''''), '') as billing_phone,
        nullif(ltrim(trim(sheet.shipping_phone), ''''), '') as shipping_phone,
        nullif(trim(sheet.phone_country), '') as phone_country,
        nullif(trim(sheet."time"), '') as "time",
        nullif(trim(sheet.amount), '') as amount,
        nullif(trim(sheet.currency), '') as currency,
        nullif(regexp_replace(regexp_replace(lower(trim(sheet.status)), '^wc-', ''), '[ -]+', '_', 'g'), '') as status,
        -- Some plugins write what went back as a negative number.
        nullif(ltrim(trim(sheet.refunded), '-'), '') as refunded,
        nullif(trim(sheet.cancelled_at), '') as cancelled_at,
        lower(trim(sheet.test)) in ('true', 'yes', '1') as is_test,
        nullif(trim(sheet.coupon), '') as coupon,
        nullif(trim(sheet.item_sku), '') as item_sku,
        nullif(trim(sheet.item_name), '') as item_name,
        try_cast(trim(sheet.item_quantity) as double) as item_quantity,
        try_cast(trim(sheet.item_price) as decimal(18, 4)) as item_price
    from sheet
    where hash(sheet.file_no, coalesce(nullif(trim(sheet.order_id), ''), 'row ' || sheet.at_line)) % parts = part
),

orders as (
    -- A file of its own each: an order that two files hold is one said again.
    select
        file_no,
        min(at_line) as at_line,
        any_value(order_id) as order_id,
        arg_min(customer, at_line) as customer,
        coalesce(arg_min(phone, at_line), arg_min(billing_phone, at_line), arg_min(shipping_phone, at_line)) as phone,
        arg_min(phone_country, at_line) as phone_country,
        arg_min("time", at_line) as "time",
        arg_min(amount, at_line) as amount,
        arg_min(currency, at_line) as currency,
        arg_min(status, at_line) as status,
        arg_min(refunded, at_line) as refunded,
        arg_min(cancelled_at, at_line) as cancelled_at,
        coalesce(bool_or(is_test), false) as is_test,
        arg_min(coupon, at_line) as coupon,
        to_json(
            list({
                'sku': item_sku, 'name': item_name,
                'quantity': item_quantity, 'price': item_price
            } order by at_line) filter (item_name is not null or item_sku is not null)
        )::varchar as items,
        coalesce(
            min(customer) <> max(customer) or min("time") <> max("time") or min(amount) <> max(amount)
            or min(currency) <> max(currency) or min(status) <> max(status) or min(refunded) <> max(refunded), false
        ) as is_contradicted
    from lines
    group by file_no, coalesce(order_id, 'row ' || at_line)
)

select
    orders.*,
    statuses.meaning,
    case
        when orders.order_id is null or orders.is_contradicted then null
        when orders.is_test then 'test order'
        when orders.cancelled_at is not null then 'cancelled'
        when statuses.meaning not in ('paid', 'refunded') then statuses.meaning
    end as left_out,
    case
        when orders.order_id is null then 'order id is empty'
        when orders.is_contradicted then 'the rows of one order differ in e-mail address, time, amount, currency, status or refund'
        when orders.is_test or orders.cancelled_at is not null then null
        when orders.status is null then 'the order has no status: none of its rows says whether it was paid'
        when statuses.meaning is null then 'the order''s status is not one that the preset knows: give a select'
        when orders.status = 'partially_refunded' and orders.refunded is null then 'partly refunded, and the file does not say how much'
    end as wrong
from orders
left join statuses on statuses.word = orders.status
