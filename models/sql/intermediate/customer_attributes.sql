/* goodhour
doc: >-
  One row per customer of whom a system of record told something: of each attribute the latest value that is
  not null, by event time; of values at one instant that of the smallest source and id.
grain: [customer_id]
columns:
  customer_id: "the customer"
  country: "ISO 3166-1 alpha-2"
  time_zone: "IANA name"
  language: "BCP 47"
  tags: "the customer's tags"
  first_updated_at: "first word of a system of record, UTC"
*/
with
updates as (
    select
        customer_updated.customer_id,
        customer_updated.country,
        customer_updated.time_zone,
        customer_updated.language,
        customer_updated.tags,
        customer_updated.occurred_at,
        row_number() over (
            partition by customer_updated.customer_id
            order by
                customer_updated.occurred_at desc,
                customer_updated.event_source asc,
                customer_updated.event_id asc
        ) as age_rank
    from staging.customer_updated
)
select
    updates.customer_id,
    arg_min(updates.country, updates.age_rank) as country,
    arg_min(updates.time_zone, updates.age_rank) as time_zone,
    arg_min(updates.language, updates.age_rank) as language,
    arg_min(updates.tags, updates.age_rank) as tags,
    min(updates.occurred_at) as first_updated_at
from updates
group by updates.customer_id
