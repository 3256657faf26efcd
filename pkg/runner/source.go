package runner

import "embed"

// Source is the source of this module. The kn-krt command carries it, so that it
// can build nodes without a network. Nothing in a node refers to it, and the
// linker leaves it out of theirs.
//
//go:embed go.mod go.sum *.go clip/*.go dict/*.go event/*.go kre/*.go kre/simplelogger/*.go loglimit/*.go runnertest/*.go store/*.go
var Source embed.FS
