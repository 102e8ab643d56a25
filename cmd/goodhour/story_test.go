package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/goodhour/goodhour/ingest/event"
)

// TestMain lets a test run the command itself in a process of its own, so that
// it can be killed, and gives the scripts the command goodhour.
func TestMain(m *testing.M) {
	if os.Getenv("GOODHOUR_TEST_RUN_MAIN") == "1" {
		main()
	}
	testscript.Main(m, map[string]func(){"goodhour": main})
}

// TestScripts runs the stories in testdata/script.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "../../testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                scriptCommands(),
		Setup: func(e *testscript.Env) error {
			examples, err := filepath.Abs("../../examples")
			e.Setenv("EXAMPLES", examples)
			e.Setenv("GOODHOUR_DATA", filepath.Join(e.WorkDir, "data"))
			// A serve and a sandbox must know each other's before either listens.
			e.Setenv("GOODHOUR_API_LISTEN", fixedAddress(t.Context(), t))
			e.Setenv("SANDBOX", fixedAddress(t.Context(), t))
			return err
		},
	})
}

// person is someone in a test's story: one person under several identifiers.
type person struct {
	key, phone, bsuid, email, name string
}

// storyBegins is a fixed past instant: events need no clock.
var storyBegins = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// story returns n events of every kind about people who appear now under one
// identifier, now under another, in shuffled order. The same seed gives the
// same events.
func story(tb testing.TB, seed uint64, n int) []event.Event {
	tb.Helper()
	random := rand.New(rand.NewPCG(seed, 1))
	people := make([]person, n/20+1)
	for i := range people {
		people[i] = person{
			key:   fmt.Sprintf("c%06d", i),
			phone: fmt.Sprintf("+55119%08d", i),
			bsuid: fmt.Sprintf("BR.99%012d", i),
			email: fmt.Sprintf("person%d@secret-mail.example", i),
			name:  fmt.Sprintf("Zelda Hidden%d", i),
		}
	}
	events := make([]event.Event, 0, n)
	for i := range n {
		p := people[random.IntN(len(people))]
		at := storyBegins.Add(time.Duration(random.IntN(90*24*3600)) * time.Second)
		e, err := event.New(fmt.Sprintf("e%08d", i), "story", p.subject(random), at, p.happening(random, i))
		if err != nil {
			tb.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

func (p person) subject(random *rand.Rand) string {
	switch random.IntN(4) {
	case 0:
		return "phone:" + p.phone
	case 1:
		return "bsuid:" + p.bsuid
	default:
		return p.key
	}
}

// some returns a part of the person's identifiers, so that only the events
// together say who is who.
func (p person) some(random *rand.Rand) event.Person {
	var out event.Person
	if random.IntN(3) > 0 {
		out.Phone = p.phone
	}
	if random.IntN(3) == 0 {
		out.BSUID = p.bsuid
	}
	if random.IntN(8) == 0 {
		out.Email = p.email
	}
	if random.IntN(8) == 0 {
		out.ExternalIDs = map[string]string{"customer": p.key}
	}
	return out
}

func (p person) happening(random *rand.Rand, i int) event.Data {
	who := p.some(random)
	message := event.Message{
		MessageID: fmt.Sprintf("m%07d", random.IntN(i+1)), ProviderMessageID: fmt.Sprintf("wamid.%07d", random.IntN(i+1)),
		Provider: "meta", NumberID: "15550001", CampaignID: "spring",
	}
	amount, err := event.ParseAmount(fmt.Sprintf("%d.%02d", random.IntN(300), random.IntN(100)))
	if err != nil {
		panic(err)
	}
	switch random.IntN(14) {
	case 0, 1:
		return event.MessageSentData{Person: who, Message: message, Pricing: &event.Pricing{Category: "marketing", Type: "regular"}}
	case 2, 3, 4:
		return event.MessageDeliveredData{Person: who, Message: message}
	case 5, 6:
		return event.MessageReadData{Person: who, Message: message}
	case 7:
		return event.MessageFailedData{Person: who, Message: message, ErrorCode: "131049", ErrorClass: "recipient"}
	case 8:
		return event.MessageReceivedData{
			Person: who, ProviderMessageID: fmt.Sprintf("wamid.IN%d", i), Provider: "meta", NumberID: "15550001",
			MessageKind: "text", Text: "confidential words " + p.name, InReplyTo: message.ProviderMessageID,
		}
	case 9, 10:
		return event.OrderCompletedData{Person: who, OrderID: fmt.Sprintf("o%d", random.IntN(i+1)), Amount: amount, Currency: "EUR"}
	case 11:
		return event.CustomerUpdatedData{Person: who, Name: p.name, Country: "BR", TimeZone: "America/Sao_Paulo"}
	case 12:
		return event.ConsentChangedData{
			Person: who, Category: "marketing", State: []string{"opted_in", "opted_out"}[random.IntN(2)],
			Source: "crm", Evidence: "signed by " + p.name,
		}
	default:
		return event.LinkClickedData{Person: who, MessageID: message.MessageID, URL: "https://shop.example/x?who=" + p.email}
	}
}

// deadline is how long a step of a story may take before the test fails.
func deadline(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
