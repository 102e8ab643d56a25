-- The named RFM segments, by what their customers spent.
select
    customers.rfm_segment,
    count(*) as customer_count,
    coalesce(sum(customers.spend_amount), 0)::double as spend_amount,
    sum(customers.order_count)::bigint as order_count,
    median(customers.model_as_of::date - customers.last_purchased_at::date)::double as recency_days
from marts.customers
where customers.rfm_segment is not null
group by customers.rfm_segment
order by spend_amount desc, customers.rfm_segment
