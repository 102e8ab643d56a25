package report

// chinese holds the texts in Simplified Chinese, keyed by their English.
func chinese() map[string]string {
	return map[string]string{}
}
