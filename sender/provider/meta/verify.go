package meta

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"

	"github.com/goodhour/goodhour/sender/provider"
)

// signatureHeader has "sha256=" and 64 hex digits: HMAC-SHA256 of the raw body
// by the app secret (Meta, webhooks "Create an endpoint", checked 2026-11-23).
const signatureHeader = "X-Hub-Signature-256"

// challengeBytesMax bounds what is echoed to whoever knows the verify token.
const challengeBytesMax = 1024

// VerifyWebhook implements provider.Provider. All secrets are tried, each in
// constant time.
func (m *Meta) VerifyWebhook(w provider.Webhook) error {
	digits, found := strings.CutPrefix(w.Header.Get(signatureHeader), "sha256=")
	given, err := hex.DecodeString(digits)
	if !found || err != nil {
		return provider.ErrSignature
	}
	matches := false
	for _, secret := range m.config.AppSecrets {
		if hmac.Equal(given, sign(secret, w.Body)) {
			matches = true
		}
	}
	if !matches {
		return provider.ErrSignature
	}
	return nil
}

func sign(secret provider.Secret, message []byte) []byte {
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	mac.Write(message)
	return mac.Sum(nil)
}

// ChallengeWebhook implements provider.Provider: it returns hub.challenge if
// hub.verify_token is ours.
func (m *Meta) ChallengeWebhook(query url.Values) (string, error) {
	given := sha256.Sum256([]byte(query.Get("hub.verify_token")))
	want := sha256.Sum256([]byte(m.config.VerifyToken.Reveal()))
	challenge := query.Get("hub.challenge")
	if !hmac.Equal(given[:], want[:]) || query.Get("hub.mode") != "subscribe" || challenge == "" || len(challenge) > challengeBytesMax {
		return "", provider.ErrChallenge
	}
	return challenge, nil
}
