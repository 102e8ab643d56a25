package plan

// Cause is what moves a message from one state to another.
type Cause string

// The causes.
const (
	ByClaim      Cause = "claim"      // its claim was committed; the provider may be called
	BySettlement Cause = "settlement" // the provider's answer, or that there was none
	ByRule       Cause = "rule"       // the policy's verdict at the claim
	ByCancel     Cause = "cancel"     // its plan was cancelled
	ByStatus     Cause = "status"     // a status event that carries the message's id
	ByPerson     Cause = "person"     // somebody asked the provider, and says what it knows
)

// Transition is one step of a message's life.
type Transition struct {
	From, To State
	Cause    Cause
	// Why says in which case.
	Why string
}

// PlannedStates returns the states that planning may leave a message in.
func PlannedStates() []State { return []State{Waiting, Suppressed, HeldOut, Expired} }

// Transitions returns every step there is; sender/STATES.md draws them.
// Accepted, Suppressed, HeldOut and Expired are never left.
func Transitions() []Transition {
	return []Transition{
		{Waiting, Claimed, ByClaim, "the policy allows it and a permit was taken"},
		{Waiting, Suppressed, ByRule, "a rule forbids it"},
		{Waiting, HeldOut, ByRule, "its arm gets no message"},
		{Waiting, Expired, ByRule, "its time passed, or would before a rule lets it go"},
		{Waiting, Cancelled, ByCancel, "the plan was cancelled"},
		{Waiting, Accepted, ByStatus, "the provider has it, whatever it said before"},
		{Claimed, Accepted, BySettlement, "the provider took it, or a status has said so"},
		{Claimed, Failed, BySettlement, "the provider refused it for good"},
		{Claimed, Unknown, BySettlement, "the answer was lost"},
		{Claimed, Waiting, BySettlement, "the provider definitely refused it and may be asked again"},
		{Claimed, Cancelled, BySettlement, "so, and the plan was cancelled meanwhile"},
		{Claimed, Suppressed, ByRule, "a rule forbids it before the provider was called: the claim is withdrawn"},
		{Claimed, HeldOut, ByRule, "so"},
		{Claimed, Expired, ByRule, "so"},
		{Unknown, Accepted, ByStatus, "any status, failed too: the provider tells of what it took"},
		{Unknown, Accepted, ByPerson, "the provider knows the message"},
		{Unknown, Failed, ByPerson, "the provider does not"},
		{Failed, Accepted, ByStatus, "sent, delivered or read, in whatever order they came"},
		{Cancelled, Accepted, ByStatus, "the provider has it, whatever it said before"},
	}
}

// CanMove says whether there is such a step.
func CanMove(from, to State, cause Cause) bool {
	for _, t := range Transitions() {
		if t.From == from && t.To == to && t.Cause == cause {
			return true
		}
	}
	return false
}

// Final says whether a message in the state is done with: it waits for nothing
// and no call is in flight. A status may still tell more.
func (s State) Final() bool { return s != Waiting && s != Claimed }
