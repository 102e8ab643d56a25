package plan_test

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/sender/plan"
)

// sender/STATES.md draws what the code says.
func TestStatesAreThoseOfTheDocument(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../STATES.md")
	if err != nil {
		t.Fatal(err)
	}
	var drawn, coded []string
	var plannedDrawn []plan.State
	for _, arrow := range regexp.MustCompile(`(?m)^ +(\S+) --> (\w+): (\w+)$`).FindAllSubmatch(text, -1) {
		if string(arrow[1]) == "[*]" {
			plannedDrawn = append(plannedDrawn, plan.State(arrow[2]))
			continue
		}
		drawn = append(drawn, string(arrow[1])+" "+string(arrow[2])+" "+string(arrow[3]))
	}
	for _, step := range plan.Transitions() {
		coded = append(coded, string(step.From)+" "+string(step.To)+" "+string(step.Cause))
		if step.Why == "" || !plan.CanMove(step.From, step.To, step.Cause) {
			t.Errorf("the step %s → %s by %s has no reason, or cannot be made", step.From, step.To, step.Cause)
		}
	}
	if diff := cmp.Diff(coded, drawn); diff != "" {
		t.Errorf("steps (-code +document):\n%s", diff)
	}
	if diff := cmp.Diff(plan.PlannedStates(), plannedDrawn); diff != "" {
		t.Errorf("states at planning (-code +document):\n%s", diff)
	}
	var listed []plan.State
	for _, row := range regexp.MustCompile(`(?m)^\| (\w+) \| .* \| (yes|no) \|$`).FindAllSubmatch(text, -1) {
		state := plan.State(row[1])
		listed = append(listed, state)
		if (string(row[2]) == "yes") != state.Final() {
			t.Errorf("%s: the document says final: %s", state, row[2])
		}
	}
	if diff := cmp.Diff(plan.States(), listed); diff != "" {
		t.Errorf("states (-code +document):\n%s", diff)
	}
}

func TestAFinalStateIsLeftByAStatusAndUnknownByAPersonToo(t *testing.T) {
	t.Parallel()
	for _, step := range plan.Transitions() {
		resolved := step.From == plan.Unknown && step.Cause == plan.ByPerson
		if step.From.Final() && step.Cause != plan.ByStatus && !resolved {
			t.Errorf("%s is left by %s", step.From, step.Cause)
		}
		if !slices.Contains(plan.States(), step.From) || !slices.Contains(plan.States(), step.To) || step.From == step.To {
			t.Errorf("the step %s → %s is none", step.From, step.To)
		}
		if step.To == plan.Claimed && step.From != plan.Waiting {
			t.Errorf("%s is claimed: only what waits may be sent", step.From)
		}
	}
	if plan.CanMove(plan.Unknown, plan.Waiting, plan.BySettlement) || plan.CanMove(plan.Unknown, plan.Claimed, plan.ByClaim) {
		t.Error("an unknown message may be sent again")
	}
}
