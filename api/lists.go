package api

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/warehouse"
)

// Pages of customers.
const (
	pageStandard = 100
	pageMost     = 1000
)

// customerList is a list of customers that can be paged and exported: an SQL
// select with customer_id (UUID, unique) and external_id among its columns.
type customerList struct {
	// name is the list's in cursors and file names: "segment-value:high".
	name string
	sql  string
	args []any
}

// exportFormats are those of the parameter format, besides json, which is paged.
func exportFormats() map[string]warehouse.Format {
	return map[string]warehouse.Format{
		"csv": warehouse.CSV, "parquet": warehouse.Parquet, "arrow": warehouse.Arrow, "json-all": warehouse.JSON,
	}
}

// answerList answers with a page in JSON or the whole list in another format.
func (s *Server) answerList(w http.ResponseWriter, r *http.Request, reader *warehouse.Reader, list customerList) error {
	format, err := choice(r, "format", "json", "json-all", "csv", "parquet", "arrow")
	if err != nil {
		return err
	}
	if format == "json" {
		if wantsPersonal(r) {
			return problemf(problemInvalidParameter, "include: personal is for the formats that come whole: csv, parquet, json-all, arrow.")
		}
		return s.answerPage(w, r, reader, list)
	}
	for _, name := range []string{"cursor", "limit"} {
		if r.URL.Query().Has(name) {
			return problemf(problemInvalidParameter, "%s: only for format=json; the other formats come whole.", name)
		}
	}
	return s.answerExport(w, r, reader, list, format)
}

// cursor says where a page of a list begins. It names the last customer of the
// page before, so it stays good when a newer file is published: the next page
// is of the newer file, and nobody who is in both is missed or comes twice.
type cursor struct {
	List  string      `json:"l"`
	After identity.ID `json:"a"`
}

func (c cursor) String() string {
	b, err := json.Marshal(c)
	if err != nil {
		panic(err) // an id and a string always encode
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// parseCursor reads a cursor of the list; empty is the beginning.
func parseCursor(text, list string) (after any, err error) {
	if text == "" {
		return nil, nil
	}
	var c cursor
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil || c.List != list {
		return nil, problemf(problemInvalidParameter, "cursor: not one of this list; begin without, and then send next_cursor as it came.")
	}
	return c.After.String(), nil
}

// customersPage is a page on the wire.
type customersPage struct {
	asOf
	Customers []row `json:"customers"`
	// NextCursor is null on the last page.
	NextCursor *string `json:"next_cursor"`
}

func (s *Server) answerPage(w http.ResponseWriter, r *http.Request, reader *warehouse.Reader, list customerList) error {
	limit, err := wholeNumber(r, "limit", pageStandard, pageMost)
	if err != nil {
		return err
	}
	after, err := parseCursor(r.URL.Query().Get("cursor"), list.name)
	if err != nil {
		return err
	}
	// One more than asked for tells whether another page follows.
	args := append(append([]any{}, list.args...), after, int64(limit)+1)
	table, err := reader.Table(r.Context(), pageSQL(list), args...)
	if err != nil {
		return err
	}
	page := customersPage{asOf: asOfOf(reader), Customers: []row{}}
	for _, values := range table.Rows[:min(limit, len(table.Rows))] {
		page.Customers = append(page.Customers, row{table.Columns, values})
	}
	// A page is also cut short where its rows would take too much memory.
	if n := len(page.Customers); n > 0 && (len(table.Rows) > limit || table.Truncated) {
		last, err := identity.ParseID(page.Customers[n-1].text("customer_id"))
		if err != nil {
			return err
		}
		next := cursor{list.name, last}.String()
		page.NextCursor = &next
	}
	requestOf(r.Context()).count = int64(len(page.Customers))
	return writeJSON(w, http.StatusOK, page)
}

// pageSQL wraps the list's select. Its parameters come first.
func pageSQL(list customerList) string {
	after, limit := parameter(len(list.args)+1), parameter(len(list.args)+2)
	return "select * from (\n" + list.sql + "\n) as list\n" +
		"where " + after + "::uuid is null or list.customer_id > " + after + "::uuid\n" +
		"order by list.customer_id\nlimit " + limit + "::bigint"
}

func parameter(n int) string { return "$" + strconv.Itoa(n) }

// answerExport streams the whole list.
func (s *Server) answerExport(w http.ResponseWriter, r *http.Request, reader *warehouse.Reader, list customerList, format string) error {
	options, err := csvOptions(r, format)
	if err != nil {
		return err
	}
	day := reader.Info().AsOf.UTC().Format("2006-01-02")
	name := strings.NewReplacer(":", "-", ",", "_").Replace(list.name) + "_" + day + "." + strings.TrimSuffix(format, "-all")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	source := warehouse.Source{SQL: list.sql, Args: list.args}
	kind := exportFormats()[format]
	n, err := stream(w, r, kind, func(out io.Writer) (int64, error) {
		if wantsPersonal(r) {
			return reader.ExportPersonal(r.Context(), out, kind, source, options, s.people)
		}
		return reader.Export(r.Context(), out, kind, source, options)
	})
	requestOf(r.Context()).count = n
	return err
}

// wantsPersonal: the request asks for phone, e-mail and name too.
func wantsPersonal(r *http.Request) bool { return r.URL.Query().Get("include") == includePersonal }

// checkPersonal refuses a request for personal data that may not have it.
func (s *Server) checkPersonal(r *http.Request) error {
	include, err := choice(r, "include", "", includePersonal)
	if err != nil || include == "" {
		return err
	}
	if p := requestOf(r.Context()).principal; !p.has(ScopePII) {
		return problemf(problemForbidden, "include=personal needs the scope %s: goodhour key create NAME --scopes %s,%s.", ScopePII, ScopeExport, ScopePII)
	}
	return nil
}

// csvOptions reads the parameter csv: how texts stand in a CSV file. A text
// that a spreadsheet would run as a formula is disarmed unless raw is asked for.
func csvOptions(r *http.Request, format string) (warehouse.ExportOptions, error) {
	if format != "csv" && r.URL.Query().Has("csv") {
		return warehouse.ExportOptions{}, problemf(problemInvalidParameter, "csv: only for format=csv.")
	}
	kind, err := choice(r, "csv", "safe", "excel", "raw")
	return warehouse.ExportOptions{BOM: kind == "excel", RawCells: kind == "raw"}, err
}

// streamBuffer is how much of an export is held back at its beginning: an
// error before that is answered as a problem, one after it cuts the answer off.
const streamBuffer = 64 << 10

// stream writes an export and returns its rows.
func stream(w http.ResponseWriter, r *http.Request, format warehouse.Format, export func(io.Writer) (int64, error)) (int64, error) {
	if format == warehouse.Arrow && !arrowBuilt {
		return 0, problemf(problemNoArrow, "format: arrow is not there.")
	}
	w.Header().Set("Content-Type", format.ContentType())
	if r.Method == http.MethodHead {
		return 0, nil
	}
	out := bufio.NewWriterSize(w, streamBuffer)
	n, err := export(out)
	if err != nil {
		return n, err
	}
	return n, out.Flush()
}
