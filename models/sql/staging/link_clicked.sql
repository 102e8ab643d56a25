/* goodhour
doc: A tracked link of a message was opened; by the customer, or by whoever got it forwarded.
grain: [event_source, event_id]
materialized: view
columns:
  event_source: "the producer of the event"
  event_id: "the event's id, unique within its source"
  identity_id: "the identifier that the event carried, as a pseudonym"
  customer_id: "the customer whose identifier that is"
  message_id: "the message that carried the link"
  campaign_id: "the campaign that sent it"
  token: "the link's token"
  url: "the target without query and fragment"
  occurred_at: "when it happened, UTC"
*/
select
    link_clicked.ce_source as event_source,
    link_clicked.ce_id as event_id,
    link_clicked.identity_id,
    coalesce(identity_customers.customer_id, link_clicked.identity_id) as customer_id,
    nullif(link_clicked.message_id, '') as message_id,
    nullif(link_clicked.campaign_id, '') as campaign_id,
    nullif(link_clicked.token, '') as token,
    nullif(link_clicked.url, '') as url,
    link_clicked.ce_time as occurred_at
from raw.link_clicked
left join staging.identity_customers
    on identity_customers.identity_id = link_clicked.identity_id
where link_clicked.ce_time <= (select as_of.as_of from staging.as_of)
