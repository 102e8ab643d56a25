/* goodhour
doc: The sender called the provider, or knows that it cannot know whether it did. A message may have several attempts.
grain: [event_source, event_id]
materialized: view
columns:
  event_source: "the producer of the event"
  event_id: "the event's id, unique within its source"
  identity_id: "the identifier that the event carried, as a pseudonym"
  customer_id: "the customer whose identifier that is"
  message_id: "goodhour's id of the message"
  attempt_id: "the claim's id; one message may have several after definite refusals"
  plan_id: "the plan it belongs to"
  campaign_id: "the campaign that sent it"
  template: "name and language of the template"
  category: "marketing, utility, authentication or service"
  provider: "meta, twilio, messagebird, zenvia or sandbox"
  number_id: "the business's number at the provider"
  provider_message_id: "the provider's id, where it gave one"
  outcome: "accepted, failed or unknown"
  error_code: "the provider's error code"
  error_class: "goodhour's class of the error"
  rule: "the rule that decided last"
  arm: "treatment, holdout, control, time_holdout"
  send_hour_local: "hour of day 0-23 in the customer's zone"
  time_zone: "IANA name that send_hour_local was computed with"
  propensity: "probability of this hour under the policy"
  policy_id: "version of the rules"
  cost_estimate: "predicted cost in the account's currency"
  request_ms: "time the provider took to answer, milliseconds"
  upload_ms: "time a media upload took, milliseconds"
  content_chars: "length of the text after the parameters, characters"
  content_opens_with_name: "the text begins with the customer's name"
  content_has_call_to_action: "it has a button or an explicit request"
  content_has_link: "it has a link"
  content_media_kind: "none, image, video, document, location"
  occurred_at: "when it happened, UTC"
*/
select
    message_attempted.ce_source as event_source,
    message_attempted.ce_id as event_id,
    message_attempted.identity_id,
    coalesce(identity_customers.customer_id, message_attempted.identity_id) as customer_id,
    nullif(message_attempted.message_id, '') as message_id,
    nullif(message_attempted.attempt_id, '') as attempt_id,
    nullif(message_attempted.plan_id, '') as plan_id,
    nullif(message_attempted.campaign_id, '') as campaign_id,
    nullif(message_attempted.template, '') as template,
    nullif(message_attempted.category, '') as category,
    nullif(message_attempted.provider, '') as provider,
    nullif(message_attempted.number_id, '') as number_id,
    nullif(message_attempted.provider_message_id, '') as provider_message_id,
    nullif(message_attempted.outcome, '') as outcome,
    nullif(message_attempted.error_code, '') as error_code,
    nullif(message_attempted.error_class, '') as error_class,
    nullif(message_attempted.rule, '') as rule,
    nullif(message_attempted.arm, '') as arm,
    message_attempted.send_hour_local,
    nullif(message_attempted.time_zone, '') as time_zone,
    message_attempted.propensity,
    nullif(message_attempted.policy_id, '') as policy_id,
    message_attempted.cost_estimate,
    message_attempted.request_ms,
    message_attempted.upload_ms,
    message_attempted.content_chars,
    message_attempted.content_opens_with_name,
    message_attempted.content_has_call_to_action,
    message_attempted.content_has_link,
    nullif(message_attempted.content_media_kind, '') as content_media_kind,
    message_attempted.ce_time as occurred_at
from raw.message_attempted
left join staging.identity_customers
    on identity_customers.identity_id = message_attempted.identity_id
where message_attempted.ce_time <= (select as_of.as_of from staging.as_of)
