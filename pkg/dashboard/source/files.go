package source

import (
	"context"
	"io/fs"
)

// Authors have what the author of a version has written for people, and its contract. It is a part
// of [Source].
type Authors interface {
	// Files returns the files of the version's bundle below docs/ and metrics/ and its examples, and no
	// others.
	// Nobody has reviewed them. A [*RefusedError] says why they are not known.
	Files(ctx context.Context, ref Ref) (fs.FS, error)
	// Contract returns the version's contract.
	Contract(ctx context.Context, ref Ref) (*Contract, error)
}

// Contract is what clients can call: protos that compile.
type Contract struct {
	// Entry is the path of the public proto.
	Entry string
	// Protos have the texts of it and of all it imports, by path.
	Protos map[string][]byte
}
