package cluster

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cluster/follow"
	"krt.dev/kn-krt/pkg/render"
)

// Listener receives the objects of one kind. Its functions are called one at a time; an
// object that is passed is theirs to keep.
type Listener[T client.Object] struct {
	// Listed is called with all objects, at the beginning and after each watch that ended;
	// Changed with each that changes or, with gone, is deleted after that.
	Listed  func(all []T)
	Changed func(object T, gone bool)
}

// FollowVersions follows the versions of the namespace, or of all with a client of
// In(metav1.NamespaceAll), until ctx is done. It outlives the end of watches and an API
// server that is away for less than a minute, or what [Client.GivingUp] says. The error is ctx's or an [*Error].
func (c *Client) FollowVersions(ctx context.Context, l Listener[*v1alpha1.Version]) error {
	return c.explainEnd(ctx, follower(c, &v1alpha1.VersionList{}, l).Run(ctx), "cannot list versions")
}

// FollowRuntimes is the same for Runtimes.
func (c *Client) FollowRuntimes(ctx context.Context, l Listener[*v1alpha1.Runtime]) error {
	return c.explainEnd(ctx, follower(c, &v1alpha1.RuntimeList{}, l).Run(ctx), "cannot read what is published")
}

// FollowPods is the same for the pods of versions: those of nodes and of entrypoints.
func (c *Client) FollowPods(ctx context.Context, l Listener[*corev1.Pod]) error {
	f := follower(c, &corev1.PodList{}, l)
	f.Options = append(f.Options, client.HasLabels{render.LabelVersion})
	return c.explainEnd(ctx, f.Run(ctx), "cannot list the pods of versions")
}

// follower follows the objects of list's kind.
func follower[T client.Object](c *Client, list client.ObjectList, l Listener[T]) *follow.Follower[T] {
	return &follow.Follower[T]{Kube: c.kube, List: list, Options: c.only(""), Listed: l.Listed, Changed: l.Changed, Silence: c.silence}
}

// explainEnd explains why following has ended with err; doing is what failed.
func (c *Client) explainEnd(ctx context.Context, err error, doing string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return c.explain(err, doing)
}
