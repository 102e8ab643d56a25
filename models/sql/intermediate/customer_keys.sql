/* goodhour
doc: One row per customer with any identifier, the caller's own key, and whether WhatsApp can address them.
grain: [customer_id]
columns:
  customer_id: "the customer"
  external_id: "the caller's own key, from the configured namespace; the smallest where a customer has several"
  external_id_count: "keys of that namespace; over 1 means that several records of the caller are one person"
  has_address: "a phone or BSUID is known"
*/
select
    identities.customer_id,
    min(identities.external_id) filter (where identities.namespace = settings.customer_namespace) as external_id,
    count(identities.external_id) filter (where identities.namespace = settings.customer_namespace) as external_id_count,
    bool_or(identities.namespace in ('phone', 'bsuid')) as has_address
from staging.identities
cross join staging.settings
group by identities.customer_id
