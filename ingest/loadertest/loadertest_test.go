package loadertest_test

import (
	"testing"

	"github.com/goodhour/goodhour/ingest"
	"github.com/goodhour/goodhour/ingest/loadertest"
	"github.com/goodhour/goodhour/warehouse/warehousetest"
)

func TestWarehouse(t *testing.T) {
	t.Parallel()
	loadertest.Run(t, func(t *testing.T) ingest.Loader { return warehousetest.New(t) })
}
