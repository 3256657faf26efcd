package cluster

import (
	"context"

	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/dashboard/source"
)

// Reach implements [source.Callers]: by a port of this machine that is forwarded to the version's
// entrypoint, with the user's right to forward ports.
func (s *Source) Reach(ctx context.Context, ref source.Ref) (address string, release func(), err error) {
	c, err := s.in(ref)
	if err != nil {
		return "", nil, err
	}
	forward, err := c.Forward(ctx, ref.Name, cluster.GRPCPort)
	if err != nil {
		return "", nil, s.ofRequests(ref, err)
	}
	return forward.Address, forward.Close, nil
}
