-- Net revenue of the last 30 days, in the reporting currency. It is the metric
-- revenue_30d without its dimensions.
select
    count(*) as order_count,
    coalesce(sum(orders.net_reporting_amount), 0) as revenue_amount,
    any_value(orders.reporting_currency) as currency
from staging.orders
where
    orders.net_reporting_amount is not null
    and orders.ordered_at > getvariable('as_of')::timestamp - interval 30 day
