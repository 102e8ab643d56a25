/* goodhour
doc: >-
  One row per refund, however often it was reported. Refunds have no id of their own: reports of the same
  order, instant, amount and currency are one refund.
grain: [shop, order_id, refunded_at, currency, amount]
checks:
  - expression: "amount >= 0"
columns:
  shop: "the shop that order_id belongs to; empty where there is one"
  order_id: "the shop's id of the order"
  amount: "money that went back, in currency"
  currency: "ISO 4217"
  refunded_at: "when, UTC"
*/
select
    case
        when settings.order_shop_pattern = '' then ''
        else regexp_extract(order_refunded.event_source, settings.order_shop_pattern, 1)
    end as shop,
    order_refunded.order_id,
    order_refunded.amount,
    order_refunded.currency,
    order_refunded.occurred_at as refunded_at
from staging.order_refunded
cross join staging.settings
where
    order_refunded.order_id is not null
    and order_refunded.amount >= 0
    and order_refunded.currency is not null
group by all
