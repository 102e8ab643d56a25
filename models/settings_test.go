package models

import (
	"strings"
	"testing"
)

func TestSettingsAreOneTypedRow(t *testing.T) {
	t.Parallel()
	conn := openConn(t)
	options := Options{
		AsOf: testAsOf, Now: testClock(), Select: []Relation{settingsRelation},
		Settings: map[string]any{"hot_days": uint64(3), "currency": "EUR", "cut": 1.5},
	}
	if _, err := run(t.Context(), conn, options, shippedFolder(t)); err != nil {
		t.Fatal(err)
	}
	const query = `select typeof(hot_days) || hot_days || typeof(currency) || currency || typeof(cut) || cut from staging.settings`
	if got := textOf(t, conn, query); got != "INTEGER3VARCHAREURDECIMAL(9,4)1.5000" {
		t.Error(got)
	}
}

func TestSettingsRefuseWhatTheyDoNotKnow(t *testing.T) {
	t.Parallel()
	f := func(settings map[string]any, want string) {
		t.Helper()
		_, err := readSettings(shippedFolder(t), settings)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %q", settings, err, want)
		}
	}
	f(map[string]any{"hot_day": 3}, "the models have no setting hot_day; they have currency, cut, hot_days")
	f(map[string]any{"hot_days": "soon"}, `the models' setting hot_days is of type INTEGER; it cannot be "soon"`)
	f(map[string]any{"hot_days": 3.5}, "INTEGER")
	f(map[string]any{"hot_days": nil}, "INTEGER")
	f(map[string]any{"hot_days": []any{1}}, "INTEGER")
	f(map[string]any{"hot_days": "3000000000"}, "INTEGER")
	f(map[string]any{"cut": "1.23456"}, "DECIMAL(9,4)")
	f(map[string]any{"cut": 123456}, "DECIMAL(9,4)")
	f(map[string]any{"cut": "1e3"}, "DECIMAL(9,4)")
	f(map[string]any{"cut": "."}, "DECIMAL(9,4)")
	f(map[string]any{"a": 1, "b": 2}, "no setting b")
}

func TestSettingsFileErrorsSayWhere(t *testing.T) {
	t.Parallel()
	f := func(file, want string) {
		t.Helper()
		_, err := readSettings(folder(t, "settings.yaml", file), nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", file, err, want)
		}
	}
	f("- a", "settings.yaml:1: the file must be a mapping")
	f("a: {value: 1, type: INTEGER}", `settings.yaml:1: a has no "doc"`)
	f("\na: {value: 1, type: int, doc: x}", `settings.yaml:2: "INT" is no type of a setting`)
	f("a: {value: x, type: BIGINT, doc: x}", `"x" is no value of type BIGINT`)
	f("a: {value: NaN, type: DOUBLE, doc: x}", "DOUBLE")
	f("a: {value: maybe, type: boolean, doc: x}", "BOOLEAN")
	f("a: {value: 2026-02-30, type: DATE, doc: x}", "DATE")
	f("a: {value: 1, type: 'DECIMAL(2,3)', doc: x}", "no type of a setting")
	f("A-b: {value: 1, type: INTEGER, doc: x}", `"A-b" is no name for a setting`)
	f("a: {value: 1, type: INTEGER, doc: x}\na: {value: 2, type: INTEGER, doc: x}", "settings.yaml:2")
	if _, err := readSettings(folder(t), nil); err == nil {
		t.Error("a missing file is an error")
	}
}
