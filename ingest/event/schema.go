package event

import "embed"

//go:generate go run ./schemagen

//go:embed schema/*.json
var schemas embed.FS

// Schema returns the JSON Schema (2020-12) of a kind's data, generated from the
// table in kind.go. What it accepts, Decode accepts, and the other way round,
// but for these rules that a schema of the data cannot say:
//
//   - The attributes, the record's size and UTF-8, and Kafka's timestamp.
//   - A person: the subject counts too, and whether a text is a phone, an
//     e-mail or a BSUID; for IdentityUnlinked, that there are two.
//   - A key given twice, an unpaired surrogate, nesting over 64 levels.
//
// It panics on an invalid kind.
func Schema(k Kind) []byte {
	text, err := schemas.ReadFile("schema/" + k.Spec().Type + ".json")
	if err != nil {
		panic("event: no schema of " + k.String() + ": run go generate")
	}
	return text
}
