// Package conformance holds the promises of a version as cases: each sentence of
// KRT V1's semantics and of the wire, tried over every delivery and with nodes in
// every language. `go test -v ./test/conformance` prints the table.
//
// A case knows a [Target] and nothing else, so that the same cases run against
// any started version, in process or on a cluster; what the nodes do is said by
// the requests (package node).
package conformance
