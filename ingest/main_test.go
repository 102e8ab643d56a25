package ingest_test

import (
	"testing"

	"github.com/goodhour/goodhour/ingest/broker/brokertest"
)

// TestMain lets the benchmark run the broker in a process of its own.
func TestMain(m *testing.M) { brokertest.Main(m) }
