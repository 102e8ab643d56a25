/* goodhour
doc: >-
  The last word of the policy on each planned message: plan × planned customer. The states are the nine of a
  planned message, as far as events tell: claimed does not show, it is waiting here until the attempt is known.
grain: [plan_id, message_id]
checks:
  - not_null: [stage, verdict, state, decided_at]
  - not_null: [campaign_id, customer_id, planned_customer_id]
    severity: warn
  - accepted_values: {column: state, values: [waiting, accepted, failed, unknown, suppressed, held_out, expired, cancelled]}
  - accepted_values: {column: stage, values: [planning, claim]}
columns:
  plan_id: "the plan"
  message_id: "goodhour's id of the planned message"
  campaign_id: "the campaign"
  customer_id: "the customer now"
  planned_customer_id: "the identity that was planned; another than customer_id after a merge"
  stage: "when the last word was said: planning or claim"
  verdict: "the last word: allow, delay, suppress, hold_out, expire, cancel"
  state: "waiting, accepted, failed, unknown, suppressed, held_out, expired or cancelled"
  rule: "the rule that decided; null for allow"
  arm: "treatment, holdout, control, time_holdout"
  send_hour_local: "hour of day 0-23 in the customer's zone"
  time_zone: "IANA name that send_hour_local was computed with"
  hour_reason: "personal, segment, global, explore, default"
  propensity: "probability of this hour under the policy"
  policy_id: "version of the rules"
  inputs: "what the rule saw, a JSON object"
  decision_count: "verdicts so far"
  delay_until: "for delay: not before this instant, UTC"
  planned_at: "first verdict, UTC"
  decided_at: "last verdict, UTC"
*/
with
verdicts as (
    select
        decision_made.plan_id,
        decision_made.message_id,
        decision_made.campaign_id,
        decision_made.customer_id,
        first_value(decision_made.identity_id) over every_verdict as planned_customer_id,
        decision_made.stage,
        decision_made.verdict,
        decision_made.rule,
        decision_made.arm,
        decision_made.send_hour_local,
        decision_made.time_zone,
        decision_made.hour_reason,
        decision_made.propensity,
        decision_made.policy_id,
        decision_made.inputs,
        decision_made.delay_until,
        count(*) over (partition by decision_made.plan_id, decision_made.message_id) as decision_count,
        row_number() over every_verdict as verdict_number,
        first_value(decision_made.occurred_at) over every_verdict as planned_at,
        decision_made.occurred_at as decided_at
    from staging.decision_made
    where decision_made.plan_id is not null and decision_made.message_id is not null
    window
        -- Planning comes before the claim, also when both bear one instant.
        every_verdict as (
            partition by decision_made.plan_id, decision_made.message_id
            order by
                decision_made.occurred_at asc,
                decision_made.stage = 'claim' asc,
                decision_made.event_source desc,
                decision_made.event_id desc
        )
),
last_verdicts as (
    select
        verdicts.plan_id,
        verdicts.message_id,
        verdicts.campaign_id,
        verdicts.customer_id,
        verdicts.planned_customer_id,
        verdicts.stage,
        verdicts.verdict,
        verdicts.rule,
        verdicts.arm,
        verdicts.send_hour_local,
        verdicts.time_zone,
        verdicts.hour_reason,
        verdicts.propensity,
        verdicts.policy_id,
        verdicts.inputs,
        verdicts.decision_count,
        verdicts.delay_until,
        verdicts.planned_at,
        verdicts.decided_at
    from verdicts
    where verdicts.verdict_number = verdicts.decision_count
)
select
    last_verdicts.plan_id,
    last_verdicts.message_id,
    last_verdicts.campaign_id,
    last_verdicts.customer_id,
    last_verdicts.planned_customer_id,
    last_verdicts.stage,
    last_verdicts.verdict,
    case
        -- What a provider may have is never undone by a later word.
        when messages.outcome in ('accepted', 'unknown') then messages.outcome
        when last_verdicts.verdict = 'suppress' then 'suppressed'
        when last_verdicts.verdict = 'hold_out' then 'held_out'
        when last_verdicts.verdict = 'expire' then 'expired'
        when last_verdicts.verdict = 'cancel' then 'cancelled'
        else coalesce(messages.outcome, 'waiting')
    end as state,
    last_verdicts.rule,
    last_verdicts.arm,
    last_verdicts.send_hour_local,
    last_verdicts.time_zone,
    last_verdicts.hour_reason,
    last_verdicts.propensity,
    last_verdicts.policy_id,
    last_verdicts.inputs,
    last_verdicts.decision_count,
    last_verdicts.delay_until,
    last_verdicts.planned_at,
    last_verdicts.decided_at
from last_verdicts
left join marts.messages
    on messages.message_key = last_verdicts.message_id
