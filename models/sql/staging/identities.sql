/* goodhour
doc: One row per identifier ever seen, as a pseudonym, with its customer. It has no time, as links hold for good.
grain: [identity_id]
materialized: view
columns:
  identity_id: "the pseudonym"
  customer_id: "the customer it belongs to"
  namespace: "phone, bsuid, email or external:<system>"
  external_id: "the caller's own key; null for a phone, BSUID or e-mail"
*/
select
    identities.identity_id,
    coalesce(identity_customers.customer_id, identities.identity_id) as customer_id,
    identities.namespace,
    nullif(identities.external_id, '') as external_id
from raw.identities
left join staging.identity_customers
    on identity_customers.identity_id = identities.identity_id
