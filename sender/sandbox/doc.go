// Package sandbox is a WhatsApp on this machine: a server that speaks Meta's
// Cloud API, and behind it a seeded world of customers who read, reply, buy and
// opt out by curves that are known. It is the demo, the test harness, and the
// rehearsal before going live. Its ground truth ([Truth]) is what claims about
// send hours, return and value are tested by.
//
// # The server
//
// [Sandbox.Handler] takes messages and lists templates under any version of the
// API, with Meta's error codes. It checks token, template, language and
// parameters, and holds to the platform's limits: throughput (130429), pair rate
// (131056), the 24-hour window (131047), customers who stopped marketing
// (131050), US numbers and, if configured, a cap of marketing (131049).
// [Sandbox.Run] posts webhooks to the configured URL, signed over their raw
// bytes: sent, delivered, read, failed, replies, and marketing preferences. They
// come in the order of their due times, up to 100 in one, and again until they
// are answered with 200. The URL is asked for the verify token first. Orders are
// the shop's: each hour's are handed to [Config.Shop] at its end.
//
// # The promise
//
// A submission is on the disk before it is answered or anything comes of it.
// What comes of it is a pure function of its line in the log, the world and the
// faults: after a kill, Open derives again what was still to come. A webhook
// whose delivery was not noted yet comes twice, as from Meta; none is lost.
// [Sandbox.Counts], also at /_sandbox/submissions, tells of each message how
// often it was accepted, so that a test in another process can judge a sender
// that was killed.
//
// # Time
//
// The sandbox lives by the [Clock] it is given: a [VirtualClock], which stands
// until someone advances it, or the wall clock ([Shifted]) in a process of its
// own. Only the pauses between tries of a webhook are wall time. A driver waits
// for [Sandbox.WaitQuiet] and advances to [Sandbox.NextDue]:
//
//	for sandbox.WaitQuiet(ctx) == nil {
//		next, pending := sandbox.NextDue()
//		if !pending || next.After(end) {
//			break
//		}
//		if _, err := clock.Advance(next); err != nil {
//			return err
//		}
//	}
//
// # The world
//
// A [World] has a past ([World.History]): customers, consents and orders of more
// than a year, and messages that another tool sent between Start and End, half
// of them at two house hours and half at any hour of the day. The house hours
// are not the hours of most attention, and differ by tier, so that who counts
// reads by hour is misled and who divides by what was sent is not. Orders are of
// two kinds: those that customers make anyway, and those that a message caused.
// A few events come late or twice.
//
// # What it does not do
//
// Media and interactive messages, the Marketing Messages API, templates that are
// made, reviewed or paused while it runs, quality and messaging tiers, pacing,
// webhooks about the account, customers who write first, refunds. What a message
// of the past would have brought after End never comes.
package sandbox
