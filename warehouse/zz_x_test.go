package warehouse_test
import ("testing";"fmt";"github.com/goodhour/goodhour/warehouse")
func TestXX(t *testing.T) {
	r := reader(t, warehouse.Limits{MemoryBytes: 100_000_000, Exports: 1}, someTable)
	for _, q := range []string{"select n, name, repeat(name, 8) as long, amount, uuid() as id from t, range(%d)"} {
	for _, n := range []int{10, 30, 90} {
	for _, f := range []warehouse.Format{warehouse.CSV, warehouse.NDJSON, warehouse.JSON, warehouse.Parquet} {
		before, _ := residentBytes()
		var most, total int64
		_, err := r.Export(t.Context(), writerFunc(func(p []byte) (int, error) {
			if total += int64(len(p)); total%(1<<20) < int64(len(p)) {
				now, _ := residentBytes()
				most = max(most, now)
			}
			return len(p), nil
		}), f, warehouse.Source{SQL: fmt.Sprintf(q, n)}, warehouse.ExportOptions{})
		fmt.Println(f, n, total>>20, "MB, grew", (most-before)>>20, err)
	}}}
}
