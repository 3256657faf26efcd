package runner

import "embed"

// Source is the source code of this module. The kn-krt command contains it, so that it
// can build nodes without a network. Nodes do not refer to it, so the linker leaves it
// out of them.
//
//go:embed go.mod go.sum *.go clip/*.go dict/*.go environment/*.go event/*.go
//go:embed kre/*.go kre/simplelogger/*.go loglimit/*.go promptio/*.go runnertest/*.go store/*.go store/bsontag/*.go store/query/*.go
var Source embed.FS
