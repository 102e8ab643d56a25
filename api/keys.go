package api

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/goodhour/goodhour/sender/campaign"
)

// Scope is one thing that a key may do. A key may do what its scopes list and
// nothing more: no scope includes another.
type Scope string

// The scopes.
const (
	ScopeRead    Scope = "read"    // figures, single customers without personal data, SQL with limits
	ScopeExport  Scope = "export"  // whole lists of customers
	ScopePII     Scope = "pii"     // personal data, beside read or export
	ScopeWrite   Scope = "write"   // events and customers in
	ScopeSend    Scope = "send"    // plan campaigns, send messages
	ScopeApprove Scope = "approve" // approve what another key planned
	ScopeAdmin   Scope = "admin"   // keys
)

// Scopes returns all scopes.
func Scopes() []Scope {
	return []Scope{ScopeRead, ScopeExport, ScopePII, ScopeWrite, ScopeSend, ScopeApprove, ScopeAdmin}
}

// ParseScopes reads scopes separated by commas, such as "read,export".
func ParseScopes(list string) ([]Scope, error) {
	var out []Scope
	for name := range strings.SplitSeq(list, ",") {
		out = append(out, Scope(strings.TrimSpace(name)))
	}
	return checkedScopes(out)
}

// checkedScopes returns the scopes in their fixed order, each once.
func checkedScopes(scopes []Scope) ([]Scope, error) {
	var out []Scope
	for _, s := range Scopes() {
		if slices.Contains(scopes, s) {
			out = append(out, s)
		}
	}
	for _, s := range scopes {
		if !slices.Contains(Scopes(), s) {
			return nil, &KeyError{fmt.Sprintf("no scope %q: the scopes are %s", s, joinScopes(Scopes()))}
		}
	}
	if len(out) == 0 {
		return nil, &KeyError{"a key needs at least one scope of " + joinScopes(Scopes())}
	}
	return out, nil
}

func joinScopes(scopes []Scope) string {
	names := make([]string, len(scopes))
	for i, s := range scopes {
		names[i] = string(s)
	}
	return strings.Join(names, ", ")
}

// Token is a key's secret. It is shown once, when the key is created; only its
// hash is kept.
type Token string

// String hides the token from logs.
func (Token) String() string { return "[redacted]" }

// Reveal returns the token's text, for the person it is meant for.
func (t Token) Reveal() string { return string(t) }

// tokenPrefix lets scanners for leaked secrets recognise a token.
const tokenPrefix = "gh_"

// tokenLength is the prefix and 256 bits in unpadded base64url.
const tokenLength = len(tokenPrefix) + 43

// Key is what is known of an API key; never its token.
type Key struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"` // who or what uses it
	Scopes    []Scope   `json:"scopes"`
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by"` // a key's id, or "local" for the command line
	// ExpiresAt is when it stops working; nil means never.
	ExpiresAt *time.Time `json:"expires_at"`
	// RevokedAt is when it was taken back; nil means not.
	RevokedAt *time.Time `json:"revoked_at"`
}

// KeyError says what is wrong with a request about keys.
type KeyError struct{ msg string }

func (e *KeyError) Error() string { return e.msg }

// ErrNoSuchKey is returned for an id that no key has.
var ErrNoSuchKey = errors.New("no such key")

// errBadToken is returned for a token that opens nothing. It does not say why:
// unknown, revoked and expired look the same from outside.
var errBadToken = errors.New("the token is not that of a key in force")

// storedKey is a key as the file holds it.
type storedKey struct {
	Key
	SHA256 string `json:"sha256"` // of the whole token, hex
}

type keyFile struct {
	Version int         `json:"version"`
	Keys    []storedKey `json:"keys"`
}

// Keys is the file of API keys. It is written whole or not at all, with mode
// 0600, by one process at a time (keys.json.lock beside it); every process
// sees another's change at its next request.
//
// Revoked keys stay in the file, so that an audit can name them, and so that
// taking back the last key does not reopen what stands open before the first.
type Keys struct {
	path string
	now  func() time.Time

	mu     sync.Mutex
	stat   os.FileInfo // of the file that keys came from; nil: there was none
	loaded bool
	keys   []storedKey
}

// OpenKeys opens the key file, which need not exist yet. A file that cannot be
// read is an error, and later makes every request with or without a key fail:
// it never counts as having no keys.
func OpenKeys(path string, now func() time.Time) (*Keys, error) {
	k := &Keys{path: path, now: now}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.reload(); err != nil {
		return nil, err
	}
	return k, nil
}

// Create makes a key and returns its token, which cannot be had again.
// expiresAt zero means never. by says who asks: a key's id or "local".
func (k *Keys) Create(name string, scopes []Scope, expiresAt time.Time, by string) (Key, Token, error) {
	scopes, err := checkedScopes(scopes)
	if err != nil {
		return Key{}, "", err
	}
	if name == "" || len(name) > 100 || !utf8.ValidString(name) || strings.ContainsFunc(name, isControl) {
		return Key{}, "", &KeyError{"a key needs a name of at most 100 bytes, saying who or what uses it"}
	}
	if name == campaign.CommandLine {
		return Key{}, "", &KeyError{"a key cannot be named " + campaign.CommandLine + ": campaigns know by it who came without a key"}
	}
	now := k.now().UTC()
	var expires *time.Time
	if !expiresAt.IsZero() {
		if !expiresAt.After(now) {
			return Key{}, "", &KeyError{"the key would have expired already: give a later time"}
		}
		at := expiresAt.UTC()
		expires = &at
	}
	token := Token(tokenPrefix + randomText(32))
	sum := sha256.Sum256([]byte(token))
	key := Key{
		ID: "key_" + randomText(9), Name: name, Scopes: scopes,
		CreatedAt: now, CreatedBy: by, ExpiresAt: expires,
	}
	err = k.change(func(keys []storedKey) ([]storedKey, error) {
		return append(keys, storedKey{key, hex.EncodeToString(sum[:])}), nil
	})
	if err != nil {
		return Key{}, "", err
	}
	return key, token, nil
}

// List returns all keys in order of creation, the revoked ones too.
func (k *Keys) List() ([]Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.reload(); err != nil {
		return nil, err
	}
	out := make([]Key, len(k.keys))
	for i := range k.keys {
		out[i] = k.keys[i].Key
	}
	return out, nil
}

// Revoke takes a key back at once. To revoke it again changes nothing.
func (k *Keys) Revoke(id string) (Key, error) {
	var revoked Key
	err := k.change(func(keys []storedKey) ([]storedKey, error) {
		i := slices.IndexFunc(keys, func(key storedKey) bool { return key.ID == id })
		if i < 0 {
			return nil, fmt.Errorf("revoke key %q: %w", id, ErrNoSuchKey)
		}
		if keys[i].RevokedAt == nil {
			now := k.now().UTC()
			keys[i].RevokedAt = &now
		}
		revoked = keys[i].Key
		return keys, nil
	})
	return revoked, err
}

// change reads the file, lets it be changed, and writes it, alone among all
// processes.
func (k *Keys) change(edit func([]storedKey) ([]storedKey, error)) (err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	lock, err := lockKeys(k.path + ".lock")
	if err != nil {
		return fmt.Errorf("lock the key file: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if err := k.reload(); err != nil {
		return err
	}
	keys, err := edit(slices.Clone(k.keys))
	if err != nil {
		return err
	}
	return k.write(keys)
}

// authenticate returns the key in force that has the token.
func (k *Keys) authenticate(token string) (Key, error) {
	sum := sha256.Sum256([]byte(token))
	hash := []byte(hex.EncodeToString(sum[:]))
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.reload(); err != nil {
		return Key{}, err
	}
	// Every hash is compared, so the time says nothing about which one fits.
	found := -1
	for i := range k.keys {
		if subtle.ConstantTimeCompare(hash, []byte(k.keys[i].SHA256)) == 1 {
			found = i
		}
	}
	if found < 0 || len(token) != tokenLength || !k.keys[found].inForce(k.now()) {
		return Key{}, errBadToken
	}
	return k.keys[found].Key, nil
}

// none reports whether no key was ever made.
func (k *Keys) none() (bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.reload(); err != nil {
		return false, err
	}
	return len(k.keys) == 0, nil
}

func (k *Key) inForce(now time.Time) bool {
	return k.RevokedAt == nil && (k.ExpiresAt == nil || now.Before(*k.ExpiresAt))
}

// reload reads the file again if it is not the one that was read last.
func (k *Keys) reload() error {
	stat, err := os.Stat(k.path)
	if errors.Is(err, os.ErrNotExist) {
		k.stat, k.loaded, k.keys = nil, true, nil
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the key file: %w", err)
	}
	if k.loaded && k.stat != nil && os.SameFile(stat, k.stat) &&
		stat.ModTime().Equal(k.stat.ModTime()) && stat.Size() == k.stat.Size() {
		return nil
	}
	b, err := os.ReadFile(k.path)
	if err != nil {
		return fmt.Errorf("read the key file: %w", err)
	}
	var f keyFile
	if err := json.Unmarshal(b, &f); err != nil {
		return fmt.Errorf("read the key file %s: %w; restore it from a backup, or remove it to begin without keys", k.path, err)
	}
	if f.Version != 1 {
		return fmt.Errorf("read the key file %s: its version is %d, this goodhour knows 1", k.path, f.Version)
	}
	k.stat, k.loaded, k.keys = stat, true, f.Keys
	return nil
}

// write replaces the file: a temporary file beside it, synced, then renamed,
// and the directory synced, so that a crash leaves the old file or the new.
func (k *Keys) write(keys []storedKey) error {
	b, err := json.MarshalIndent(keyFile{Version: 1, Keys: keys}, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the key file: %w", err)
	}
	if err := replaceFile(k.path, append(b, '\n')); err != nil {
		return fmt.Errorf("write the key file: %w", err)
	}
	k.loaded = false // read it back at the next use: its file information is new
	return nil
}

func replaceFile(path string, b []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	// Some systems cannot sync a directory; the rename has happened all the same.
	_ = d.Sync()
	return d.Close()
}

// randomText returns n random bytes in unpadded base64url.
func randomText(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand's contract since Go 1.24
	return base64.RawURLEncoding.EncodeToString(b)
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }
