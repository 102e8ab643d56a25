/* goodhour
doc: >-
  One row per customer who withdrew consent to marketing after as_of. A list to send to that is made from a past day
  must not bring back who has asked to stop since: no audience holds them, though the marts show the day as it was.
grain: [customer_id]
columns:
  customer_id: "the customer"
*/
select coalesce(identity_customers.customer_id, consent_changed.identity_id) as customer_id
from raw.consent_changed
left join staging.identity_customers
    on identity_customers.identity_id = consent_changed.identity_id
where
    consent_changed.ce_time > (select as_of.as_of from staging.as_of)
    and consent_changed.state = 'opted_out'
    and consent_changed.category in ('marketing', 'all')
    and consent_changed.identity_id is not null
group by all
