package event

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
)

// An id as Meta's documentation shows one: the phone 16505076520 in base64.
const documentedWamid = "wamid.HBgLMTY1MDUwNzY1MjAVAgARGBI5QTNDQTVCM0Q0Q0Q2RTY3RTcA"

func TestNoPhoneStaysInAMessageID(t *testing.T) {
	t.Parallel()
	digest := sha256.Sum256([]byte(documentedWamid))
	hidden := "wamid:" + hex.EncodeToString(digest[:16])
	for given, want := range map[string]string{
		documentedWamid:                       hidden,
		hidden:                                hidden,
		"status:" + documentedWamid + ":sent": "status:" + hidden + ":sent",
		documentedWamid + "==," + "x":         "", // other bytes, another hash
		"received:" + documentedWamid + ":" + documentedWamid: "received:" + hidden + ":" + hidden,
		"SM0123456789abcdef0123456789abcdef":                  "SM0123456789abcdef0123456789abcdef",
		"":                                                    "",
	} {
		got := StoredMessageID(given)
		if want != "" && got != want || strings.Contains(got, "MTY1MDUwNzY1MjA") {
			t.Errorf("%s is stored as %s, want %s", given, got, want)
		}
		if again := StoredMessageID(got); again != got {
			t.Errorf("%s stored again is %s", got, again)
		}
		var d Decoder
		if byDecoder := string(d.storedID([]byte(given))); byDecoder != got {
			t.Errorf("the decoder stores %s as %s, not %s", given, byDecoder, got)
		}
	}
}
