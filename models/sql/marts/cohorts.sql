/* goodhour
doc: >-
  Repeat behaviour: the customers of each month of a first order, month by month. Months are calendar months (UTC);
  summed by cohort_month plus age_months, the rows are the shop's months.
grain: [cohort_month, age_months]
checks:
  - not_null: [customer_count, returning_count, order_count, revenue_amount, is_complete]
  - expression: "age_months >= 0 and returning_count <= customer_count and customer_count > 0"
  - expression: "returning_count <= order_count"
columns:
  cohort_month: "the first day of the month of the customers' first order"
  age_months: "calendar months since cohort_month; 0 is that month itself"
  customer_count: "customers of the cohort, whatever the age"
  returning_count: "of those, customers who bought in that month on a later day than their first"
  order_count: "the cohort's orders in that month, first ones included"
  unvalued_order_count: "of those, orders whose value in currency is unknown; revenue_amount leaves them out"
  revenue_amount: "the cohort's net revenue in that month, in currency"
  currency: "the reporting currency, ISO 4217"
  is_complete: "the month had ended at model_as_of; one that had not can still grow"
*/
with
reporting as (
    select any_value(currencies.reporting_currency) as currency
    from staging.currencies
),
sizes as (
    select
        date_trunc('month', customer_orders.first_purchased_on)::date as cohort_month,
        count(*) as customer_count
    from intermediate.customer_orders
    group by date_trunc('month', customer_orders.first_purchased_on)
),
months as (
    select
        sizes.cohort_month,
        sizes.customer_count,
        unnest(range(date_diff('month', sizes.cohort_month, getvariable('as_of')::date) + 1)) as age_months
    from sizes
),
bought as (
    select
        date_trunc('month', customer_orders.first_purchased_on)::date as cohort_month,
        date_diff('month', customer_orders.first_purchased_on, orders.ordered_at::date) as age_months,
        count(distinct orders.customer_id)
            filter (where orders.ordered_at::date > customer_orders.first_purchased_on) as returning_count,
        count(*) as order_count,
        count(*) - count(orders.net_reporting_amount) as unvalued_order_count,
        sum(orders.net_reporting_amount) as revenue_amount
    from staging.orders
    inner join intermediate.customer_orders
        on customer_orders.customer_id = orders.customer_id
    group by all
)
select
    months.cohort_month,
    months.age_months,
    months.customer_count,
    coalesce(bought.returning_count, 0) as returning_count,
    coalesce(bought.order_count, 0) as order_count,
    coalesce(bought.unvalued_order_count, 0) as unvalued_order_count,
    coalesce(bought.revenue_amount, 0) as revenue_amount,
    reporting.currency,
    months.cohort_month + to_months((months.age_months + 1)::integer) <= getvariable('as_of') as is_complete
from months
cross join reporting
left join bought
    on
        bought.cohort_month = months.cohort_month
        and bought.age_months = months.age_months
