/* goodhour
doc: >-
  One row per order, however often and from wherever it was reported, net of its refunds.
  The last report (latest event time, then the smallest source and id) says amount, currency and customer;
  the first says when the order was placed. A negative amount is no order.
grain: [shop, order_id]
checks:
  - not_null: [customer_id, amount, net_amount, currency, reporting_currency, ordered_at]
  - expression: "net_amount between 0 and amount"
columns:
  shop: "the shop that order_id belongs to; empty where there is one"
  order_id: "the shop's id of the order"
  customer_id: "the customer who bought"
  coupon: "the coupon code redeemed"
  report_count: "events that told of this order"
  amount: "the order's value in currency"
  refund_amount: "what went back, in currency, as reported; refunds in another currency are not in it"
  net_amount: "amount less refund_amount, not below 0, in currency"
  currency: "ISO 4217"
  net_reporting_amount: "net_amount in reporting_currency; null where it is unknown: no rate, or a refund in another currency"
  reporting_currency: "the currency that all revenue is told in"
  ordered_at: "when the order was placed, UTC"
*/
with
reports as (
    select
        case
            when settings.order_shop_pattern = '' then ''
            else regexp_extract(order_completed.event_source, settings.order_shop_pattern, 1)
        end as shop,
        order_completed.order_id,
        order_completed.event_source,
        order_completed.event_id,
        order_completed.customer_id,
        order_completed.coupon,
        order_completed.amount,
        order_completed.currency,
        order_completed.occurred_at
    from staging.order_completed
    cross join staging.settings
    where
        order_completed.order_id is not null
        and order_completed.customer_id is not null
        and order_completed.amount >= 0
        and order_completed.currency is not null
),
orders as (
    select
        reports.shop,
        reports.order_id,
        reports.customer_id,
        reports.coupon,
        reports.amount,
        reports.currency,
        count(*) over (partition by reports.shop, reports.order_id) as report_count,
        min(reports.occurred_at) over (partition by reports.shop, reports.order_id) as ordered_at
    from reports
    qualify
        row_number() over (
            partition by reports.shop, reports.order_id
            order by reports.occurred_at desc, reports.event_source asc, reports.event_id asc
        ) = 1
),
refunds_of_orders as (
    select
        orders.shop,
        orders.order_id,
        coalesce(sum(refunds.amount) filter (where refunds.currency = orders.currency), 0) as refund_amount,
        bool_or(refunds.currency <> orders.currency) as has_other_currency
    from staging.refunds
    inner join orders
        on orders.shop = refunds.shop and orders.order_id = refunds.order_id
    group by all
),
netted as (
    select
        orders.shop,
        orders.order_id,
        orders.customer_id,
        orders.coupon,
        orders.report_count,
        orders.amount,
        orders.currency,
        orders.ordered_at,
        coalesce(refunds_of_orders.refund_amount, 0)::decimal(38, 4) as refund_amount,
        greatest(orders.amount - coalesce(refunds_of_orders.refund_amount, 0), 0)::decimal(18, 4) as net_amount,
        coalesce(refunds_of_orders.has_other_currency, false) as has_other_currency
    from orders
    left join refunds_of_orders
        on refunds_of_orders.shop = orders.shop and refunds_of_orders.order_id = orders.order_id
)
select
    netted.shop,
    netted.order_id,
    netted.customer_id,
    netted.coupon,
    netted.report_count,
    netted.amount,
    netted.refund_amount,
    netted.net_amount,
    netted.currency,
    case
        when not netted.has_other_currency then try_cast(netted.net_amount * currencies.rate as decimal(18, 4))
    end as net_reporting_amount,
    currencies.reporting_currency,
    netted.ordered_at
from netted
inner join staging.currencies
    on currencies.currency = netted.currency
