package identity

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
)

var testKey = []byte("a test key of 32 bytes or more..")

func newTestKeyer(tb testing.TB) *Keyer {
	tb.Helper()
	keyer, err := NewKeyer(testKey)
	if err != nil {
		tb.Fatal(err)
	}
	return keyer
}

func TestIDIsHMACWithVersionAndVariant(t *testing.T) {
	t.Parallel()
	keyer := newTestKeyer(t)
	for range 3 { // the first use takes another way through the hash
		mac := hmac.New(sha256.New, testKey)
		mac.Write([]byte("phone:+5511999990000"))
		want := ID(mac.Sum(nil)[:16])
		want[6] = want[6]&0x0f | 8<<4
		want[8] = want[8]&0x3f | 2<<6
		if got := keyer.ID(NamespacePhone, "+5511999990000"); got != want {
			t.Errorf("ID = %s, want %s", got, want)
		}
		if got := keyer.IDBytes(NamespacePhone, []byte("+5511999990000")); got != want {
			t.Errorf("IDBytes = %s, want %s", got, want)
		}
	}
	other, err := NewKeyer([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	if keyer.ID("email", "a@b.cc") == other.ID("email", "a@b.cc") {
		t.Error("two keys give one id")
	}
}

func TestKeyIsLongAndNeverShown(t *testing.T) {
	t.Parallel()
	if _, err := NewKeyer(testKey[:31]); err == nil || strings.Contains(err.Error(), string(testKey[:31])) {
		t.Errorf("a key of 31 bytes: %v", err)
	}
	keyer := newTestKeyer(t)
	keyer.ID("phone", "+1")
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		for _, secret := range []string{string(testKey), fmt.Sprintf("%d", testKey)} {
			if strings.Contains(fmt.Sprintf(format, keyer), secret) {
				t.Errorf("%s of a keyer shows the key", format)
			}
		}
	}
}

func TestKeyerIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	keyer := newTestKeyer(t)
	want := make([]ID, 100)
	for i := range want {
		want[i] = keyer.ID("external:shop", strconv.Itoa(i))
	}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for i := range 10 * len(want) {
				if n := i % len(want); keyer.ID("external:shop", strconv.Itoa(n)) != want[n] {
					t.Errorf("another id for %d", n)
				}
			}
		})
	}
	wait.Wait()
}

func TestIDText(t *testing.T) {
	t.Parallel()
	id := newTestKeyer(t).ID(NamespaceEmail, "ana@example.com")
	for _, text := range []string{id.String(), strings.ToUpper(id.String())} {
		got, err := ParseID(text)
		if err != nil || got != id {
			t.Errorf("ParseID(%q) = %s, %v", text, got, err)
		}
	}
	encoded, err := json.Marshal(map[string]ID{"id": id})
	if want := `{"id":"` + id.String() + `"}`; err != nil || string(encoded) != want {
		t.Errorf("JSON = %s, %v; want %s", encoded, err, want)
	}
	var decoded struct{ ID ID }
	if err := json.Unmarshal(encoded, &decoded); err != nil || decoded.ID != id {
		t.Errorf("JSON gives back %s, %v", decoded.ID, err)
	}
	for _, text := range []string{"", "x", id.String()[1:], id.String() + "0", strings.ReplaceAll(id.String(), "-", ""), "g" + id.String()[1:], strings.Replace(id.String(), "-", "0", 1)} {
		if got, err := ParseID(text); err == nil {
			t.Errorf("ParseID(%q) = %s, want an error", text, got)
		}
	}
}

func TestRankOf(t *testing.T) {
	t.Parallel()
	order := []string{NamespaceCustomer, NamespacePhone, NamespaceBSUID, NamespaceEmail, "something else"}
	for i, namespace := range order {
		if got := RankOf(namespace); got != Rank(i) {
			t.Errorf("RankOf(%q) = %d, want %d", namespace, got, i)
		}
	}
}

func BenchmarkKeyerID(b *testing.B) {
	keyer := newTestKeyer(b)
	b.Run("string", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			keyer.ID(NamespacePhone, "+5511999990000")
		}
	})
	value := []byte("+5511999990000")
	b.Run("bytes", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			keyer.IDBytes(NamespacePhone, value)
		}
	})
}
