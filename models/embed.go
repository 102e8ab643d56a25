package models

import "embed"

// shipped is goodhour's own models: sql/<schema>/<name>.sql and the defaults of
// their settings.
//
//go:embed sql settings.yaml
var shipped embed.FS
