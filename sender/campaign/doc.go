// Package campaign turns a campaign's file and an audience into a plan: who gets
// what, when, and why the others get nothing.
//
// A campaign is a YAML or JSON file (Parse). Planning it (Service.Plan) waits
// until the ledger has read every topic to its end, then freezes all that
// sending depends on: the audience from one published file, the identity that
// each message goes to, the template and its values, the arm of the experiment,
// the hour, and the policy's verdict. The plan is sealed by a hash and stored;
// approving names that hash. Nothing is sent before.
//
// What holds for each plan:
//   - Each customer of the audience has exactly one message, in one state, with
//     the rule that decided; Report.ToSend and Report.Rules add up to the audience.
//   - The same code decides here as before each claim: policy.Decide. Consent,
//     windows and caps are judged anew then.
//   - Of two customers who are one person by now, one gets the message and the
//     other's is suppressed by rule merged.
//   - Personal values are only in Message.Parameters.
//
// The package never reads the models' own tables but those of the published
// file (audience.*, marts.customers, marts.customer_send_hours), never writes to
// the warehouse, and calls no provider. It reads no clock but the one it is given.
package campaign
