package api

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/goodhour/goodhour/warehouse"
)

// sqlRowsStandard bounds an answer that does not say max_rows.
const sqlRowsStandard = 10_000

// sqlExportTimeout bounds an answer of POST /v1/sql that is no JSON, the time
// that its receiver takes included. JSON has the reader's own limit.
const sqlExportTimeout = 2 * time.Minute

// sqlRequest is the body of POST /v1/sql.
type sqlRequest struct {
	SQL string `json:"sql"`
	// Format is json (the default), csv, parquet or arrow.
	Format string `json:"format"`
	// MaxRows cuts the answer; 10,000 if it is absent.
	MaxRows int `json:"max_rows"`
	// Parameters are the values of $1, $2, ….
	Parameters []json.RawMessage `json:"parameters"`
}

// postSQL answers SQL on the published file. DuckDB itself refuses what would
// write, read other files or change settings: see package warehouse.
func (s *Server) postSQL(w http.ResponseWriter, r *http.Request) error {
	in := sqlRequest{Format: "json", MaxRows: min(sqlRowsStandard, s.limits.SQLRows)}
	if err := readJSON(requestOf(r.Context()).body, &in); err != nil {
		return err
	}
	if strings.TrimSpace(in.SQL) == "" {
		return problemf(problemInvalidBody, "sql: missing.")
	}
	if strings.ContainsRune(in.SQL, 0) {
		return problemf(problemInvalidBody, "sql: a zero byte.")
	}
	if in.MaxRows < 1 || in.MaxRows > s.limits.SQLRows {
		return problemf(problemInvalidBody, "max_rows: want a whole number from 1 to %d.", s.limits.SQLRows)
	}
	args, err := sqlArguments(in.Parameters)
	if err != nil {
		return err
	}
	format, known := exportFormats()[in.Format]
	if in.Format == "json-all" || !known && in.Format != "json" {
		return problemf(problemInvalidBody, "format: want json, csv, parquet or arrow.")
	}
	return s.published(w, func(reader *warehouse.Reader) error {
		if !known {
			return sqlProblem(answerSQL(r.Context(), w, reader, in.SQL, in.MaxRows, args))
		}
		ctx, cancel := context.WithTimeout(r.Context(), sqlExportTimeout)
		defer cancel()
		source := warehouse.Source{SQL: in.SQL, Args: args, Limit: int64(in.MaxRows)}
		_, err := stream(w, r, format, func(out io.Writer) (int64, error) {
			return reader.Export(ctx, out, format, source, warehouse.ExportOptions{RawCells: true})
		})
		return sqlProblem(err)
	})
}

// sqlArguments reads the parameters: null, booleans, numbers and texts. A
// number without fraction and exponent is a whole one.
func sqlArguments(parameters []json.RawMessage) ([]any, error) {
	args := make([]any, len(parameters))
	for i, text := range parameters {
		var value any
		if err := json.Unmarshal(text, &value); err != nil {
			return nil, invalidJSON(err)
		}
		switch v := value.(type) {
		case nil, bool, string:
			args[i] = v
		case float64:
			args[i] = v
			if whole, err := strconv.ParseInt(string(text), 10, 64); err == nil {
				args[i] = whole
			}
		default:
			return nil, problemf(problemInvalidBody, "parameters: number %d: want null, true, false, a number or a text; cast a text to other types.", i+1)
		}
	}
	return args, nil
}

// answerSQL streams the rows as JSON, as lists in the order of the columns.
func answerSQL(ctx context.Context, w http.ResponseWriter, reader *warehouse.Reader, sql string, most int, args []any) error {
	result, err := reader.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer result.Close()
	w.Header().Set("Content-Type", mediaJSON)
	out := bufio.NewWriterSize(w, streamBuffer)
	line, err := json.Marshal(asOfOf(reader))
	if err != nil {
		return err
	}
	line = append(line[:len(line)-1], `,"columns":[`...)
	for i, c := range result.Columns() {
		if i > 0 {
			line = append(line, ',')
		}
		line = warehouse.AppendJSON(append(line, `{"name":`...), c.Name)
		line = append(warehouse.AppendJSON(append(line, `,"type":`...), c.Type), '}')
	}
	line = append(line, `],"rows":[`...)
	count, truncated := 0, false
	for result.Next() {
		if count == most {
			truncated = true
			break
		}
		if count > 0 {
			line = append(line, ',')
		}
		line = append(line, '[')
		for i, value := range result.Values() {
			if i > 0 {
				line = append(line, ',')
			}
			line = warehouse.AppendJSON(line, value)
		}
		line = append(line, ']', '\n')
		if _, err := out.Write(line); err != nil {
			return err
		}
		line, count = line[:0], count+1
	}
	if err := result.Err(); err != nil && !truncated {
		return err
	}
	line = append(line, `],"row_count":`...)
	line = strconv.AppendInt(line, int64(count), 10)
	line = append(line, `,"truncated":`...)
	line = append(strconv.AppendBool(line, truncated), '}', '\n')
	if _, err := out.Write(line); err != nil {
		return err
	}
	return out.Flush()
}
