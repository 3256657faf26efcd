package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cluster/response"
	"krt.dev/kn-krt/pkg/cluster/tunnel"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/render"
)

// maxTunnels is how many pods of an entrypoint are asked at a time.
const maxTunnels = 16

// Requests reads the requests that the entrypoint of a version keeps, of all its ready pods:
// each keeps its own. It is reached as a port-forward reaches it, so that the right to create
// pods/portforward is needed. It may be used by many goroutines at a time.
type Requests struct {
	c       *Client
	version string

	mu     sync.Mutex // held while failed runs
	failed func(*ReplicaError)
	asked  map[string]string // the last failure of each pod that List or Get has reported
}

// Requests returns the requests of a version. failed, if not nil, is called for each pod that
// cannot be asked, one call at a time; the others are asked all the same. List and Get may be
// called again and again until a request is kept: they report the same failure once.
func (c *Client) Requests(version string, failed func(*ReplicaError)) *Requests {
	if failed == nil {
		failed = func(*ReplicaError) {}
	}
	return &Requests{c: c, version: version, failed: failed, asked: map[string]string{}}
}

// ReplicaError is why one pod of an entrypoint does not return its requests.
type ReplicaError struct {
	Version, Pod string
	// Older is set if the pod has no port for it: it was started by an older kn-krt.
	Older bool
	// Retrying is set while the pod's requests are followed, if that is tried again.
	Retrying bool
	// Err is the cause: an [*Error], an [*inspection.StatusError], or another one.
	Err error
}

// Error names the pod and the cause.
func (e *ReplicaError) Error() string {
	if e.Older {
		return fmt.Sprintf("the entrypoint of version %q (pod %s) does not keep requests: it was started by an older kn-krt", e.Version, e.Pod)
	}
	return fmt.Sprintf("cannot read the requests in pod %s: %v", e.Pod, e.Err)
}

// Unwrap returns the cause.
func (e *ReplicaError) Unwrap() error { return e.Err }

// RequestNotFoundError is returned for a request that no pod of the entrypoint keeps.
type RequestNotFoundError struct {
	Version, ID string
	// Unasked are the pods that could not be asked. One of them may keep it.
	Unasked []string
}

// Error names the request.
func (e *RequestNotFoundError) Error() string {
	text := fmt.Sprintf("version %q does not keep a request %.64q: each pod of its entrypoint keeps its last %d requests",
		e.Version, e.ID, inspection.MaxRequests)
	if len(e.Unasked) > 0 {
		text += fmt.Sprintf("; pods that could not be asked: %v", e.Unasked)
	}
	return text
}

// Unwrap returns what each entrypoint responds then.
func (e *RequestNotFoundError) Unwrap() error {
	return &inspection.StatusError{Code: http.StatusNotFound}
}

// List returns the requests that f selects, newest first. Its error is a [*NotFoundError], an
// [*UnavailableError] if no pod is ready, an [*Error], or a [*ReplicaError] if no pod could be
// asked.
func (r *Requests) List(ctx context.Context, f inspection.Filter) ([]inspection.Request, error) {
	all, err := gather(ctx, r, func(ctx context.Context, pod string, from *inspection.Client) ([]inspection.Request, error) {
		list, err := from.List(ctx, f)
		for i := range list {
			list[i].Replica = pod
		}
		return list, err
	})
	slices.SortStableFunc(all, func(a, b inspection.Request) int { return b.End().Compare(a.End()) })
	if f.Limit > 0 {
		all = all[:min(f.Limit, len(all))]
	}
	return all, err
}

// Differences returns the copied requests whose responses from the canary differ, newest first; the
// version is the published one. Its error is as that of List.
func (r *Requests) Differences(ctx context.Context, canary string) ([]inspection.Difference, error) {
	all, err := gather(ctx, r, func(ctx context.Context, pod string, from *inspection.Client) ([]inspection.Difference, error) {
		list, err := from.Differences(ctx, canary)
		for i := range list {
			list[i].Replica = pod
		}
		return list, err
	})
	slices.SortStableFunc(all, func(a, b inspection.Difference) int { return b.Time.Compare(a.Time) })
	return all, err
}

// Get returns the request of an id with its payloads, as far as they are kept. Its error is a
// [*RequestNotFoundError] if there is none, or as that of List.
func (r *Requests) Get(ctx context.Context, id string) (*inspection.Request, error) {
	var (
		mu    sync.Mutex
		found *inspection.Request
	)
	unasked, err := r.ask(ctx, func(ctx context.Context, pod string, from *inspection.Client) error {
		one, err := from.Get(ctx, id)
		var refused *inspection.StatusError
		if errors.As(err, &refused) && refused.Code == http.StatusNotFound {
			return nil
		}
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		one.Replica, found = pod, one
		return nil
	})
	if err == nil && found == nil {
		err = &RequestNotFoundError{Version: r.version, ID: id, Unasked: unasked}
	}
	return found, err
}

// ask calls f for each ready pod of the entrypoint, and returns the pods that it could not
// ask. The error is why none could be asked.
func (r *Requests) ask(ctx context.Context, f func(context.Context, string, *inspection.Client) error) (unasked []string, err error) {
	pods, err := r.c.entrypointPods(ctx, r.version)
	if err != nil {
		return nil, err
	}
	failures, places := make([]error, len(pods)), make(chan struct{}, maxTunnels)
	var asking sync.WaitGroup
	for i, pod := range pods {
		asking.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			ctx, cancel := context.WithTimeout(ctx, RequestTimeout)
			defer cancel()
			failures[i] = r.askOne(ctx, pod, f)
		})
	}
	asking.Wait()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	for i, failure := range failures {
		switch {
		case failure == nil:
		case response.Denied(failure), !slices.Contains(failures, nil):
			return nil, cmp.Or(firstDenied(failures), failure)
		default:
			unasked = append(unasked, pods[i])
			r.reportOnce(r.replicaError(pods[i], failure))
		}
	}
	return unasked, nil
}

// gather asks all pods and returns what all of them have, in no order.
func gather[T any](
	ctx context.Context, r *Requests, f func(ctx context.Context, pod string, from *inspection.Client) ([]T, error),
) ([]T, error) {
	var (
		mu  sync.Mutex
		all []T
	)
	_, err := r.ask(ctx, func(ctx context.Context, pod string, from *inspection.Client) error {
		list, err := f(ctx, pod, from)
		mu.Lock()
		defer mu.Unlock()
		all = append(all, list...)
		return err
	})
	return all, err
}

// firstDenied is the refusal of a right among the failures: it holds for all pods.
func firstDenied(failures []error) error {
	if i := slices.IndexFunc(failures, response.Denied); i >= 0 {
		return failures[i]
	}
	return nil
}

// askOne calls f with a client of one pod.
func (r *Requests) askOne(ctx context.Context, pod string, f func(context.Context, string, *inspection.Client) error) error {
	t, err := tunnel.Open(ctx, r.c.config, r.c.namespace, pod)
	if err != nil {
		return r.failure(pod, err)
	}
	defer t.Close()
	from, err := inspection.New(fmt.Sprintf("http://127.0.0.1:%d", inspection.Port), t.Client(inspection.Port))
	if err != nil {
		return err
	}
	if err := f(ctx, pod, from); err != nil {
		return r.failure(pod, err)
	}
	return nil
}

// failure is the error of one pod. A right that is missing is an [*Error] about all.
func (r *Requests) failure(pod string, err error) error {
	if response.Denied(err) {
		return r.c.explain(err, fmt.Sprintf("cannot reach the entrypoint of version %q", r.version))
	}
	return r.replicaError(pod, err)
}

func (r *Requests) replicaError(pod string, err error) *ReplicaError {
	var already *ReplicaError
	if errors.As(err, &already) {
		return already
	}
	e := &ReplicaError{Version: r.version, Pod: pod, Err: err}
	var port *tunnel.PortError
	e.Older = errors.As(err, &port) && port.Refused()
	return e
}

func (r *Requests) report(e *ReplicaError) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed(e)
}

func (r *Requests) reportOnce(e *ReplicaError) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if text := e.Error(); r.asked[e.Pod] != text {
		r.asked[e.Pod] = text
		r.failed(e)
	}
}

// ofEntrypoint are the options of a list of the pods of a version's entrypoint.
func (c *Client) ofEntrypoint(version string) []client.ListOption {
	return []client.ListOption{c.inNamespace(), client.MatchingLabels{render.LabelVersionName: render.EntrypointName(version)}}
}

// entrypointPods are the names of the ready pods of the named version's entrypoint. Its error is
// a [*NotFoundError], an [*UnavailableError] if no pod is ready, or an [*Error].
func (c *Client) entrypointPods(ctx context.Context, version string) ([]string, error) {
	v, err := c.Get(ctx, version)
	if err != nil {
		return nil, err
	}
	var pods corev1.PodList
	if err := c.kube.List(ctx, &pods, c.ofEntrypoint(v.Name)...); err != nil {
		return nil, c.explain(err, fmt.Sprintf("cannot list the pods of the entrypoint of version %q", v.Name))
	}
	var ready []string
	for i := range pods.Items {
		if podReady(&pods.Items[i]) {
			ready = append(ready, pods.Items[i].Name)
		}
	}
	if len(ready) == 0 {
		return nil, &UnavailableError{
			Version: v.Name, Stopped: v.WantedState() != v1alpha1.StateStarted, Why: Readiness(v).String(),
		}
	}
	return ready, nil
}
