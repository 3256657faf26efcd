package source

import "context"

// Callers reach versions to call them. It is a part of [Source].
type Callers interface {
	// Reach returns the address, host:port, at which the version can be called over gRPC until
	// release is called. A version that cannot be called now is a [*RefusedError].
	Reach(ctx context.Context, ref Ref) (address string, release func(), err error)
}
