package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Media types that the API reads or writes.
const (
	mediaJSON       = "application/json"
	mediaYAML       = "application/yaml" // RFC 9512
	mediaCSV        = "text/csv"
	mediaParquet    = "application/vnd.apache.parquet"      // IANA, registered 2024
	mediaArrow      = "application/vnd.apache.arrow.stream" // IANA: Arrow IPC streaming format
	mediaEvent      = "application/cloudevents+json"        // CloudEvents JSON format 1.0.2, section 3
	mediaEventBatch = "application/cloudevents-batch+json"  // the same, section 4
)

// writeJSON answers with a value. It is encoded before anything is written.
func writeJSON(w http.ResponseWriter, status int, value any) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("encode an answer: %w", err)
	}
	w.Header().Set("Content-Type", mediaJSON)
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	// An error here is a client that went away.
	_, _ = w.Write(b.Bytes())
	return nil
}

// readJSON decodes a body that is one JSON value. Unknown fields are ignored.
func readJSON(body []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	if err := decoder.Decode(into); err != nil {
		return invalidJSON(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return problemf(problemInvalidBody, "Something follows the JSON value.")
	}
	return nil
}

// invalidJSON says where the JSON is wrong without quoting it, which both
// encoding/json and time would do.
func invalidJSON(err error) *problem {
	var wrongType *json.UnmarshalTypeError
	var wrongTime *time.ParseError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &wrongType):
		got, _, _ := strings.Cut(wrongType.Value, " ")
		field := wrongType.Field
		if field == "" {
			field = "the value"
		}
		return problemf(problemInvalidBody, "%s: want %s, got %s.", field, jsonName(wrongType.Type), got)
	case errors.As(err, &wrongTime):
		return problemf(problemInvalidBody, "A time is not RFC 3339, such as 2026-03-01T09:00:00Z.")
	case errors.As(err, &syntax):
		return problemf(problemInvalidBody, "It is not valid JSON at byte %d.", syntax.Offset)
	}
	return problemf(problemInvalidBody, "It is not valid JSON: it ends early, or is nested too deeply.")
}

// jsonName is the JSON type that a Go type is read from.
func jsonName(t reflect.Type) string {
	switch t.Kind() { //nolint:exhaustive // the rest are numbers
	case reflect.Pointer:
		return jsonName(t.Elem())
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Map, reflect.Struct:
		return "an object"
	}
	return "a number"
}
