/* goodhour
doc: "The policy's verdict on a planned message, when it changed. The last word: marts.decisions."
grain: [event_source, event_id]
materialized: view
columns:
  event_source: "the producer of the event"
  event_id: "the event's id, unique within its source"
  identity_id: "the identifier that the event carried, as a pseudonym"
  customer_id: "the customer whose identifier that is"
  plan_id: "the plan it belongs to"
  campaign_id: "the campaign that sent it"
  message_id: "goodhour's id of the planned message"
  stage: "when it was decided: planning or claim"
  verdict: "allow, delay, suppress, hold_out, expire, cancel"
  rule: "the rule that decided; null for allow"
  delay_until: "for delay: not before this instant, UTC"
  arm: "treatment, holdout, control, time_holdout"
  send_hour_local: "hour of day 0-23 in the customer's zone"
  time_zone: "IANA name that send_hour_local was computed with"
  hour_reason: "personal, segment, global, explore, default"
  propensity: "probability of this hour under the policy"
  policy_id: "version of the rules"
  inputs: "what the rule saw"
  occurred_at: "when it happened, UTC"
*/
select
    decision_made.ce_source as event_source,
    decision_made.ce_id as event_id,
    decision_made.identity_id,
    coalesce(identity_customers.customer_id, decision_made.identity_id) as customer_id,
    nullif(decision_made.plan_id, '') as plan_id,
    nullif(decision_made.campaign_id, '') as campaign_id,
    nullif(decision_made.message_id, '') as message_id,
    nullif(decision_made.stage, '') as stage,
    nullif(decision_made.verdict, '') as verdict,
    nullif(decision_made.rule, '') as rule,
    decision_made.delay_until,
    nullif(decision_made.arm, '') as arm,
    decision_made.send_hour_local,
    nullif(decision_made.time_zone, '') as time_zone,
    nullif(decision_made.hour_reason, '') as hour_reason,
    decision_made.propensity,
    nullif(decision_made.policy_id, '') as policy_id,
    decision_made.inputs,
    decision_made.ce_time as occurred_at
from raw.decision_made
left join staging.identity_customers
    on identity_customers.identity_id = decision_made.identity_id
where decision_made.ce_time <= (select as_of.as_of from staging.as_of)
