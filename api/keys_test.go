package api

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func openKeys(t testing.TB, path string, now func() time.Time) *Keys {
	t.Helper()
	keys, err := OpenKeys(path, now)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestAKeyOpensUntilItIsRevokedOrExpires(t *testing.T) {
	t.Parallel()
	clock := newClock()
	keys := openKeys(t, filepath.Join(t.TempDir(), "keys.json"), clock.now)
	day := clock.now().Add(24 * time.Hour)
	lasting, lastingToken, err := keys.Create("shop", []Scope{ScopeWrite, ScopeRead, ScopeRead}, time.Time{}, principalLocal)
	if err != nil {
		t.Fatal(err)
	}
	passing, passingToken, err := keys.Create("trial", []Scope{ScopeRead}, day, lasting.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got := joinScopes(lasting.Scopes); got != "read, write" {
		t.Errorf("scopes %q, want each once in their fixed order", got)
	}
	opens := func(token Token, want string) {
		t.Helper()
		key, err := keys.authenticate(token.Reveal())
		if want == "" && !errors.Is(err, errBadToken) || want != "" && (err != nil || key.ID != want) {
			t.Errorf("key %q, error %v; want key %q", key.ID, err, want)
		}
	}
	opens(lastingToken, lasting.ID)
	opens(passingToken, passing.ID)
	opens("", "")
	opens("gh_", "")
	opens(lastingToken[:len(lastingToken)-1], "")
	opens(lastingToken+"=", "")

	clock.advance(24 * time.Hour)
	opens(lastingToken, lasting.ID)
	opens(passingToken, "")

	if _, err := keys.Revoke(lasting.ID); err != nil {
		t.Fatal(err)
	}
	opens(lastingToken, "")
	first, err := keys.Revoke(lasting.ID)
	if err != nil {
		t.Fatal(err)
	}
	clock.advance(time.Hour)
	again, err := keys.Revoke(lasting.ID)
	if err != nil || !again.RevokedAt.Equal(*first.RevokedAt) {
		t.Errorf("a second revocation changed the time from %v to %v (%v)", first.RevokedAt, again.RevokedAt, err)
	}
	if none, err := keys.none(); none || err != nil {
		t.Errorf("none = %v, %v: revoked keys must not count as never having had one", none, err)
	}
	if _, err := keys.Revoke("key_nobody"); !errors.Is(err, ErrNoSuchKey) {
		t.Errorf("revoking an unknown key: %v", err)
	}
}

func TestTheKeyFileHoldsNoTokenAndIsPrivate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	keys := openKeys(t, path, time.Now)
	_, token, err := keys.Create("shop", []Scope{ScopeRead}, time.Time{}, principalLocal)
	if err != nil {
		t.Fatal(err)
	}
	stat, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if stat.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", stat.Mode().Perm())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), token.Reveal()) || strings.Contains(string(b), token.Reveal()[len(tokenPrefix):]) {
		t.Error("the file holds the token")
	}
	if len(token.Reveal()) != tokenLength || !strings.HasPrefix(token.Reveal(), tokenPrefix) {
		t.Errorf("a token of %d characters, want %d beginning with %s", len(token.Reveal()), tokenLength, tokenPrefix)
	}
	if token.String() != "[redacted]" {
		t.Error("String shows the token")
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 2 || entries[1].Name() != "keys.json.lock" {
		t.Errorf("files beside the key file: %v (%v), want its lock only", entries, err)
	}
}

func TestAnotherProcessesKeysAreSeenAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	serve, command := openKeys(t, path, time.Now), openKeys(t, path, time.Now)
	if none, err := serve.none(); !none || err != nil {
		t.Fatalf("none = %v, %v", none, err)
	}
	key, token, err := command.Create("shop", []Scope{ScopeRead}, time.Time{}, principalLocal)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := serve.authenticate(token.Reveal()); err != nil || got.ID != key.ID {
		t.Errorf("serve does not see the new key: %v", err)
	}
	second, _, err := serve.Create("till", []Scope{ScopeWrite}, time.Time{}, key.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := command.Revoke(key.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := serve.authenticate(token.Reveal()); !errors.Is(err, errBadToken) {
		t.Errorf("serve still lets a revoked key in: %v", err)
	}
	list, err := command.List()
	if err != nil || len(list) != 2 || list[1].ID != second.ID {
		t.Errorf("list %v, %v: want both keys in order", list, err)
	}
}

// As many handles on the file as processes: none undoes what another did.
func TestNoChangeOfTheKeyFileIsLost(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	var running sync.WaitGroup
	for range 4 {
		keys := openKeys(t, path, time.Now)
		running.Go(func() {
			for i := range 10 {
				key, token, err := keys.Create("x", []Scope{ScopeRead}, time.Time{}, principalLocal)
				if err == nil && i%2 == 0 {
					_, err = keys.Revoke(key.ID)
				} else if err == nil {
					_, err = keys.authenticate(token.Reveal())
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	running.Wait()
	list, err := openKeys(t, path, time.Now).List()
	if err != nil {
		t.Fatal(err)
	}
	revoked := 0
	for _, key := range list {
		if key.RevokedAt != nil {
			revoked++
		}
	}
	if len(list) != 40 || revoked != 20 {
		t.Errorf("%d keys, %d of them revoked; want 40 and 20", len(list), revoked)
	}
}

func TestABrokenKeyFileLetsNobodyIn(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	keys := openKeys(t, path, time.Now)
	_, token, err := keys.Create("shop", []Scope{ScopeRead}, time.Time{}, principalLocal)
	if err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"", "{", `{"version":2,"keys":[]}`} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := keys.authenticate(token.Reveal()); err == nil || errors.Is(err, errBadToken) {
			t.Errorf("file %q: authenticate says %v", content, err)
		}
		if none, err := keys.none(); none || err == nil {
			t.Errorf("file %q: none = %v, %v", content, none, err)
		}
		if _, _, err := keys.Create("x", []Scope{ScopeRead}, time.Time{}, principalLocal); err == nil {
			t.Errorf("file %q: a key was created over it", content)
		}
		if _, err := OpenKeys(path, time.Now); err == nil {
			t.Errorf("file %q: opened", content)
		}
	}
}

func TestWrongKeysAreRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	keys := openKeys(t, path, time.Now)
	f := func(name string, scopes []Scope, expiresAt time.Time) {
		t.Helper()
		_, _, err := keys.Create(name, scopes, expiresAt, principalLocal)
		if _, ok := errors.AsType[*KeyError](err); !ok {
			t.Errorf("Create says %v, want a *KeyError", err)
		}
	}
	read := []Scope{ScopeRead}
	f("", read, time.Time{})
	f("a\nb", read, time.Time{})
	f("\xff", read, time.Time{})
	f(strings.Repeat("x", 101), read, time.Time{})
	f("x", nil, time.Time{})
	f("x", []Scope{"root"}, time.Time{})
	f("x", []Scope{ScopeRead, ""}, time.Time{})
	f("x", read, time.Now().Add(-time.Second))
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error("a refused key wrote the file")
	}
	if _, err := ParseScopes("read,write,"); err == nil {
		t.Error("an empty scope was read")
	}
	if got, err := ParseScopes(" write , read"); err != nil || joinScopes(got) != "read, write" {
		t.Errorf("ParseScopes: %v, %v", got, err)
	}
}

func TestTheKeyFilesFormatStays(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	// The hash is sha256sum's of the token: "gh_" and 43 times "A".
	const file = `{"version":1,"keys":[{"id":"key_1","name":"shop","scopes":["read"],"created_at":"2026-01-02T03:04:05Z",
		"created_by":"local","expires_at":null,"revoked_at":null,
		"sha256":"4187ffb0b23483cbf6cdcfa8a36ba2065ad3a67aba690e880ce294cdd481c482"}]}`
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := openKeys(t, path, time.Now).authenticate("gh_" + strings.Repeat("A", 43))
	if err != nil || key.ID != "key_1" || key.Name != "shop" {
		t.Errorf("key %v, %v", key, err)
	}
}
