/* goodhour
doc: >-
  One row per customer who ever gave or withdrew consent, by category of message. An opt-out wins over every
  opt-in but a later one by the customer's own inbound message or by the platform's own switch: an import, a
  form or a CRM never undoes it. At one instant the opt-out wins. Consent for all counts in each category.
grain: [customer_id]
checks:
  - not_null: [consent_marketing, consent_utility, consent_authentication]
  - accepted_values: {column: consent_marketing, values: [opted_in, opted_out, none]}
  - accepted_values: {column: consent_utility, values: [opted_in, opted_out, none]}
  - accepted_values: {column: consent_authentication, values: [opted_in, opted_out, none]}
columns:
  customer_id: "the customer"
  consent_marketing: "opted_in, opted_out or none (nothing on record)"
  consent_utility: "opted_in, opted_out or none (nothing on record)"
  consent_authentication: "opted_in, opted_out or none (nothing on record)"
  first_consent_at: "first word about consent, UTC"
*/
with
categories as (
    select unnest(['marketing', 'utility', 'authentication']) as category
),
consents as (
    select
        consent_changed.customer_id,
        categories.category,
        bool_or(consent_changed.state = 'opted_in') as has_opt_in,
        max(consent_changed.occurred_at) filter (where consent_changed.state = 'opted_out') as opted_out_at,
        max(consent_changed.occurred_at) filter (
            where consent_changed.state = 'opted_in'
            and consent_changed.source in ('inbound_message', 'provider_preference')
        ) as resumed_at,
        min(consent_changed.occurred_at) as first_consent_at
    from staging.consent_changed
    inner join categories
        on consent_changed.category in (categories.category, 'all')
    group by all
),
states as (
    select
        consents.customer_id,
        consents.category,
        case
            when consents.opted_out_at >= coalesce(consents.resumed_at, consents.opted_out_at) then 'opted_out'
            when consents.has_opt_in then 'opted_in'
        end as state,
        consents.first_consent_at
    from consents
)
select
    states.customer_id,
    coalesce(max(states.state) filter (where states.category = 'marketing'), 'none') as consent_marketing,
    coalesce(max(states.state) filter (where states.category = 'utility'), 'none') as consent_utility,
    coalesce(max(states.state) filter (where states.category = 'authentication'), 'none') as consent_authentication,
    min(states.first_consent_at) as first_consent_at
from states
group by states.customer_id
