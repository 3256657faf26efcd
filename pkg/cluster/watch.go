package cluster

import (
	"context"

	"k8s.io/apimachinery/pkg/types"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cluster/follow"
)

// Change is a version that is there, has changed or, with Deleted, is no longer there.
type Change struct {
	Version *v1alpha1.Version
	Deleted bool
}

// Watch calls f for each version of the namespace, or of all with a client of
// In(metav1.NamespaceAll), and then for each that is created, changes or is deleted, until
// ctx is done. It outlives the end of watches and an API server that is away for less
// than a minute: what changed meanwhile comes late, several changes as one. The calls do
// not overlap; a version passed to f is f's to keep. The error is ctx's or an [*Error].
func (c *Client) Watch(ctx context.Context, f func(Change)) error {
	known := map[types.UID]*v1alpha1.Version{}
	see := func(v *v1alpha1.Version, gone bool) {
		v.SetKind()
		before := known[v.UID]
		switch {
		case gone:
			delete(known, v.UID)
		case before != nil && before.ResourceVersion == v.ResourceVersion:
			return
		default:
			known[v.UID] = v.DeepCopy()
		}
		f(Change{Version: v, Deleted: gone})
	}
	versions := &follow.Follower[*v1alpha1.Version]{
		Kube: c.kube, List: &v1alpha1.VersionList{}, Options: c.only(""),
		Listed: func(all []*v1alpha1.Version) {
			there := map[types.UID]bool{}
			for _, v := range all {
				there[v.UID] = true
			}
			for uid, v := range known {
				if !there[uid] {
					see(v, true)
				}
			}
			for _, v := range all {
				see(v, false)
			}
		},
		Changed: see,
	}
	err := versions.Run(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return c.explain(err, "cannot watch versions")
}
