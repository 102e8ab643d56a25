package event

// StoredDeadLetter is a dead letter as a projection keeps it.
type StoredDeadLetter struct {
	// ID counts up from 1 in the projection that keeps it.
	ID int64
	DeadLetter
}
