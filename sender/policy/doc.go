// Package policy decides whether a message may be sent: a pure function of the
// instant, the message, the customer, the account and the rules. It runs at
// planning and again at each claim, and in preflight under another clock, so all
// three agree.
//
// The rules, in the order in which they are judged. The first that objects
// decides; its name and what it saw are recorded. "Frozen" facts come from the
// plan, "live" ones are of the claim's instant and of the person that the
// customer's identities are now.
//
//	rule                  applies to         objects when                                       verdict            facts   origin
//	no_recipient          all                the customer has neither a phone nor a BSUID       suppress           frozen  ours
//	not_a_test_recipient  all                mode is not sandbox, nor test with one listed      suppress           live    ours
//	opted_out             the category that  an opt-out of that category is in force            suppress           live    platform
//	                      was stopped
//	consent_required      marketing          no opt-in is on record                             suppress           live    platform
//	holdout               marketing          the arm is holdout or control, or the quarter's    hold_out           frozen  experiment
//	                                         stored arm is holdout                                                 + live
//	merged                all                another message of the plan went to this person    suppress           live    ours
//	cold_excluded         marketing          heat is cold and a message was delivered since     suppress           frozen  convention
//	                                         the last engagement, unless cold is included
//	parameter_missing     templates          a parameter has no value (others have defaults     suppress           frozen  provider
//	                                         by now, or the plan was refused)
//	template_ready        templates          rejected, gone, or not what was approved;          suppress           live    platform
//	                                         paused, in review, unknown                         delay
//	session_window        free-form          24 h less 5 min since the customer's last message  suppress           live    platform
//	max_lateness          with a deadline    the deadline has come                              expire             frozen  ours
//	quiet_hours           marketing          the customer's clock is in [22:00, 08:00);         delay              frozen  convention
//	                                         the zone is unknown                                suppress
//	marketing_cap         marketing          a message was claimed in the last 24 h             delay              live    ours
//	pair_rate             all                quota, in package limit                            delay              live    platform
//	number_rate           all                quota, in package limit                            delay              live    platform
//
// A delay ends where the rule allows, and quiet hours and the cap too; where that
// is at the deadline or after it, the verdict is expire, by the same rule. A category that
// is none of the known ones is treated as marketing.
//
// The values are in rules.yaml, one versioned file. Rules that are known and not
// built are Absent: Unbuilt and Refuse keep a plan that needs one from being
// made, and live mode needs all.
//
// The package reads no clock and does no I/O but for time zones, whose rules are
// linked in.
package policy
