// Package web is goodhour as pages: what the funnel, the segments, the hours and
// the campaigns look like, for someone with a browser.
//
// What it promises:
//
//   - Every page works without JavaScript: it is HTML made here, and what is
//     drawn by the chart library (lib/, fetched at build) stands beside it as a
//     table. The script reads the tables; no figure is anywhere else.
//   - Every page says how old its data is, in which mode the accounts are, and
//     under each figure what it means and what it rests on.
//   - A page is of one published file from its first figure to its last.
//   - Nothing is loaded from elsewhere, no script and no style stands in a page:
//     the content security policy forbids both.
//   - No personal data: pages read the published file, which has none, and what
//     the campaigns' service says of plans.
//
// What it does not do: it knows no keys and no sessions; who may see pages is
// decided by whoever mounts the handler. It answers GET and HEAD only: what
// changes something is a command to paste.
package web
