// Package template is a provider's message template as a typed contract: what
// it consists of, which parameters it takes, what a value of each may be, and
// what the message reads like in the end.
//
// A campaign gives each parameter a value per customer and says what to do
// where there is none (Missing). Fill turns both into the values of one
// message; a value that the provider would refuse counts as none. What cannot
// be typed (a carousel, a flow) makes the whole template Unsupported: it is
// listed, never sent.
//
// The package does no I/O, reads no clock, and its errors never quote a value.
package template
