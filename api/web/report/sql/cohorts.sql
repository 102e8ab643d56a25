-- The last $1 cohorts with their first $2 months of age.
select
    cohorts.cohort_month::timestamp as cohort_month,
    cohorts.age_months,
    cohorts.customer_count,
    cohorts.returning_count,
    cohorts.is_complete
from marts.cohorts
where
    cohorts.age_months <= $2::bigint
    and cohorts.cohort_month in (
        select cohort_months.cohort_month
        from (select distinct cohorts.cohort_month from marts.cohorts) as cohort_months
        order by cohort_months.cohort_month desc
        limit $1::bigint
    )
order by cohorts.cohort_month, cohorts.age_months
