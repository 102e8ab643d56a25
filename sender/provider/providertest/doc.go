// Package providertest is the conformance suite of provider.Provider: what
// every adapter has to do with the answers, and the lack of answers, of a real
// HTTP server. An adapter's test calls Run with the provider's wire forms.
package providertest
