package warehouse

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/goodhour/goodhour/warehouse/internal/stream"
)

// An instance that DuckDB gave up, or that has no session left, is not used again.
func TestABrokenInstanceIsReplaced(t *testing.T) {
	t.Parallel()
	opened := 0
	p := newPool(1, time.Minute, func(ctx context.Context) (*seat, error) {
		opened++
		instance, err := stream.Open(ctx, ":memory:", stream.Options{Sessions: 3})
		return &seat{instance: instance}, err
	})
	use := func(sessions int, err error) {
		t.Helper()
		s, takeErr := p.take(t.Context())
		if takeErr != nil {
			t.Fatal(takeErr)
		}
		for range sessions {
			s.instance.Session().Close()
		}
		p.give(s, err)
	}
	check := func(want int) {
		t.Helper()
		if opened != want {
			t.Errorf("%d instances were opened, want %d", opened, want)
		}
	}
	use(1, nil)
	use(1, &stream.Error{Class: "Binder Error", Message: "no such column"})
	check(1)
	use(1, nil) // its last session
	use(0, nil)
	check(2)
	use(0, fmt.Errorf("query: %w", &stream.Error{Class: "INTERNAL Error", Message: "a bug"}))
	use(0, &stream.Error{Class: "FATAL Error", Message: "invalidated"})
	use(0, errors.New("anything else"))
	use(0, nil)
	check(4)
	if err := p.close(); err != nil {
		t.Error(err)
	}
}
