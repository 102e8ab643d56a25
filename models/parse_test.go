package models

import (
	"errors"
	"strings"
	"testing"
)

func TestReferencesAreTheRelationsThatASelectReads(t *testing.T) {
	t.Parallel()
	conn := openConn(t)
	f := func(query string, want ...string) {
		t.Helper()
		tree, err := parse(t.Context(), conn, query)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			return
		}
		var got []string
		for _, r := range references(tree) {
			got = append(got, r.String())
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
	f("select 1")
	f("select * from a.b", "a.b")
	f("from a.b", "a.b")
	f("table a.b", "a.b")
	f("select x.y.z from a.b as x, x.list", "a.b", "x.list")
	f(`select * from "A b"."c.d"`, "A b.c.d")
	f("select * from cat.a.b", "cat.a.b")
	f("select (select max(i) from a.b), 2 from a.c where exists (select 1 from a.d) and i in (select i from a.e)",
		"a.b", "a.c", "a.d", "a.e")
	f("select * from a.b, lateral (select * from a.c where c.i = b.i)", "a.b", "a.c")
	f("select * from a.b asof join a.c on b.t >= c.t", "a.b", "a.c")
	f("select * from a.b union all select * from a.c except select * from a.d", "a.b", "a.c", "a.d")
	f("select * from range(3), unnest([1]) as u(i), (values (1)) as v(i)")
	f("select * from (pivot a.b on k in ('x', 'y') using sum(v))", "a.b")
	f("select count(*) filter (where i in (select i from a.b)) over (order by (select 1 from a.c)) from a.d", "a.b", "a.c", "a.d")

	// Common table expressions hide unqualified names, and only where they are in scope.
	f("with b as (select * from a.b) select * from b, a.b", "a.b", "a.b")
	f("with b as (select 1), c as (select * from b) select * from C", []string{}...)
	f("with c as (select * from b), b as (select 1) select * from c", "b")
	f("with b as (select * from b) select * from b", "b")
	f("with b as (select 1) select * from (with b as (select * from b) select * from b)")
	f("select * from (with b as (select 1) select * from b), b", "b")
	f("select * from b union (with b as (select 1) select * from b)", "b")
	f("with b as (select 1) select * from b union select * from b where exists (select 1 from b)")
	f("with b as materialized (with c as (select * from a.c) select * from c) select * from b, c", "a.c", "c")
	f("with recursive t(i) as (select i from a.b union all select i + 1 from t, a.c where i < 3) select * from t", "a.b", "a.c")
	f("with recursive t as (select 1 as i union all (with t as (select * from t) select i + 1 from t where i < 3)) select * from t")
}

func TestParseRefusesWhatIsNotOneSelect(t *testing.T) {
	t.Parallel()
	conn := openConn(t)
	f := func(query, want string, offset int) {
		t.Helper()
		_, err := parse(t.Context(), conn, query)
		var refused *syntaxError
		if !errors.As(err, &refused) || !strings.Contains(refused.message, want) || refused.offset != offset {
			t.Errorf("%q: got %#v, want %q at %d", query, err, want, offset)
		}
	}
	f("", "there is no select", -1)
	f("-- nothing", "there is no select", -1)
	f("select 1; select 2", "more than one statement", -1)
	f("select 1; drop table raw.identities", "not a plain select", -1)
	f("create table t as select 1", "not a plain select", -1)
	f("pivot a.b on k using sum(v)", "PIVOT must list its values", -1)
	f("select *\nfrom a.b\nwhere where", `syntax error at or near "where"`, 24)
	f("copy a.b to 'x.csv'", "not a plain select", -1)
}
