package runtime

import (
	"time"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// transition is a switch of active-entrypoint to a version that is not complete.
type transition struct {
	version  string
	since    time.Time
	switched time.Time // since when the endpoints are the version's only; zero: not yet
}

// left is how long to wait for the switch to the wanted version: until the endpoints have
// switched, and from then on until each node of the cluster has.
func (r *reconciler) left(rt *v1alpha1.Runtime, switched bool) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, t := time.Now(), r.switches[rt.UID]
	if t.version != rt.Spec.PublishedVersion {
		t = transition{version: rt.Spec.PublishedVersion, since: now}
	}
	switch {
	case !switched:
		t.switched = time.Time{}
	case t.switched.IsZero():
		t.switched = now
	}
	r.switches[rt.UID] = t
	if !switched {
		return r.wait - now.Sub(t.since)
	}
	return r.settle - now.Sub(t.switched)
}

func (r *reconciler) forget(rt *v1alpha1.Runtime) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.switches, rt.UID)
}
