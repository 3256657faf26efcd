package cluster

import (
	"context"
	"errors"
	"fmt"

	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/inspection"
)

// Inspect implements [source.Inspectors]. It ends once the user has lost the right to it.
func (s *Source) Inspect(ctx context.Context, ref source.Ref, f func(context.Context, *inspection.Client) error) error {
	c, err := s.in(ref)
	if err != nil {
		return err
	}
	var own error
	rights := []cluster.Right{{Verb: "create", Resource: "pods", Subresource: "portforward"}}
	err = reviewer{c, s.options.Review}.whileAllowed(ctx, rights, func(ctx context.Context) error {
		return c.Requests(ref.Name, nil).One(ctx, func(ctx context.Context, at *inspection.Client) error {
			own = f(ctx, at)
			return own
		})
	})
	var refused *source.RefusedError
	if own != nil && !errors.As(err, &refused) {
		return source.OfPort(own, fmt.Sprintf("See what is wrong: kn krt doctor -n %s", ref.Namespace),
			fmt.Sprintf("Restart the version: kn krt restart %s -n %s", ref.Name, ref.Namespace))
	}
	return s.ofRequests(ref, err)
}
