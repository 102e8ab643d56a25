package sender

// KillPoint names a place on a message's way at which a test ends the process.
type KillPoint string

// The places, in the order in which a message passes them. What a crash at each
// leaves is in the package's documentation.
const (
	AfterClaimCommit KillPoint = "after_claim_commit"
	BeforeCall       KillPoint = "before_call"
	AfterResponse    KillPoint = "after_response"
	BeforeSettle     KillPoint = "before_settle"
	BeforePublish    KillPoint = "before_publish"
)

// KillPoints returns all of them.
func KillPoints() []KillPoint {
	return []KillPoint{AfterClaimCommit, BeforeCall, AfterResponse, BeforeSettle, BeforePublish}
}

// pass is called at each place. Without a hook it does nothing.
func (s *Sender) pass(p KillPoint) {
	if s.cfg.Hook != nil {
		s.cfg.Hook(p)
	}
}
