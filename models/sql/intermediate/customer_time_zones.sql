/* goodhour
doc: >-
  One row per customer whose local time is known: from their own record, else from their country where all its
  clocks agree, else the business's own default_time_zone, unless their country does not have it. A name that is
  no time zone says nothing.
grain: [customer_id]
checks:
  - not_null: [time_zone]
  - accepted_values: {column: time_zone_source, values: [customer, country, default]}
columns:
  customer_id: "the customer"
  time_zone: "IANA name"
  time_zone_source: "how it is known: customer, country or default"
*/
with
-- The cast knows the names that DuckDB's calendars know, and refuses others
-- with null where timezone() would fail. The pattern keeps to names of regions:
-- three letters mean other places there than people mean (BST is Dhaka's).
known_zones as (
    select attributed.time_zone
    from (
        select customer_attributes.time_zone
        from intermediate.customer_attributes
        union
        select settings.default_time_zone
        from staging.settings
    ) as attributed
    where
        regexp_full_match(attributed.time_zone, 'UTC|[A-Z][A-Za-z_]+(/[A-Z][A-Za-z0-9_+-]*)+')
        and try_cast('2000-01-01 00:00:00 ' || attributed.time_zone as timestamptz) is not null
),
countries as (
    select
        country_time_zones.country,
        arg_min(country_time_zones.time_zone, country_time_zones.position)
            filter (where country_time_zones.is_same_time) as time_zone,
        coalesce(bool_or(country_time_zones.time_zone = settings.default_time_zone), false) as has_default
    from intermediate.country_time_zones
    cross join staging.settings
    group by country_time_zones.country
),
default_zone as (
    select any_value(known_zones.time_zone) as time_zone
    from known_zones
    inner join staging.settings
        on settings.default_time_zone = known_zones.time_zone
),
found as (
    select
        customers.customer_id,
        known_zones.time_zone as own_zone,
        countries.time_zone as country_zone,
        case when coalesce(countries.has_default, true) then default_zone.time_zone end as default_zone
    from intermediate.customers
    cross join default_zone
    left join intermediate.customer_attributes
        on customer_attributes.customer_id = customers.customer_id
    left join known_zones
        on known_zones.time_zone = customer_attributes.time_zone
    left join countries
        on countries.country = upper(customer_attributes.country)
)
select
    found.customer_id,
    coalesce(found.own_zone, found.country_zone, found.default_zone) as time_zone,
    case
        when found.own_zone is not null then 'customer'
        when found.country_zone is not null then 'country'
        else 'default'
    end as time_zone_source
from found
where coalesce(found.own_zone, found.country_zone, found.default_zone) is not null
