-- The shop's months: the cohorts' rows, summed by calendar month.
select
    (cohorts.cohort_month + to_months(cohorts.age_months::integer))::timestamp as month,
    coalesce(sum(cohorts.customer_count) filter (where cohorts.age_months = 0), 0)::bigint as new_count,
    coalesce(sum(cohorts.returning_count) filter (where cohorts.age_months > 0), 0)::bigint as returning_count,
    sum(cohorts.order_count)::bigint as order_count,
    coalesce(sum(cohorts.revenue_amount) filter (where cohorts.age_months = 0), 0)::double as new_amount,
    coalesce(sum(cohorts.revenue_amount) filter (where cohorts.age_months > 0), 0)::double as returning_amount,
    bool_and(cohorts.is_complete) as is_complete
from marts.cohorts
group by all
order by month
