package version

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/credential"
	"krt.dev/kn-krt/pkg/observe"
	"krt.dev/kn-krt/pkg/queue"
	queueclient "krt.dev/kn-krt/pkg/queue/client"
	"krt.dev/kn-krt/pkg/render"
)

const (
	// queueTime is how long the queue may take to respond to the controller.
	queueTime = 3 * time.Second
	// deletePatience is how long a version that is deleted waits for a queue that does not
	// respond: a namespace can always be deleted.
	deletePatience = time.Minute
)

func isDurable(v *v1alpha1.Version) bool { return v.Delivery() == v1alpha1.DeliveryDurable }

// planQueue decides with which credentials the version uses the queue. The error is that the
// key of credentials is not known to a version that needs it.
func (r *reconciler) planQueue(v *v1alpha1.Version, p *plan) error {
	before := v.Status.StartedWith
	if p.with.QueueSecret = ""; !isDurable(v) {
		return nil
	}
	if p.with.QueueSecret = p.settings.QueueSecret; p.with.QueueSecret != "" {
		return nil
	}
	key, err := r.storeKey.Get()
	switch {
	case err == nil:
		p.with.QueueSecret = render.QueueSecretName(v.Name, storeSecretID(key, p.settings.QueueCA))
		return nil
	case before != nil && before.QueueSecret != "":
		p.with.QueueSecret = before.QueueSecret
		return nil
	}
	return fmt.Errorf("the version has no credentials for the queue: %w", err)
}

// queueContent is what else the entrypoint is rendered from; nothing without a queue, so that what
// another kn-krt has made is the same.
func queueContent(with v1alpha1.StartedWith) []any {
	if with.QueueSecret == "" {
		return nil
	}
	return []any{with.QueueSecret}
}

// createQueueSecret creates the Secret with the version's credential for the queue if it does
// not exist. One of the user's own is theirs.
func (r *reconciler) createQueueSecret(ctx context.Context, want desired) error {
	name, settings := want.plan.with.QueueSecret, want.plan.settings
	if name == settings.QueueSecret {
		return nil
	}
	return r.createSecret(ctx, want.version, name, func(key []byte) map[string][]byte {
		return queueFiles(want.version, key, settings.QueueCA)
	})
}

// queueFiles are the version's own credentials for the queue, by file.
func queueFiles(v *v1alpha1.Version, key []byte, ca string) map[string][]byte {
	holder := credential.Holder{Role: credential.Queue, Namespace: v.Namespace, Version: v.Name}
	files := map[string][]byte{queue.FileCredential: []byte(credential.New(key, holder))}
	if ca != "" {
		files[queue.FileCA] = []byte(ca)
	}
	return files
}

// markQueue marks whether the queue of the version can be used: without it, it accepts nothing.
// former is what was reported before, which stays while nothing is known.
func (r *reconciler) markQueue(want desired, former string) {
	url := want.plan.settings.Queue()
	switch why, known := r.queue.Why(url); {
	case !isDurable(want.version):
	case known && why != "":
		observe.MarkQueueUnavailable(want.version, url, why)
	case !known && former != "":
		want.version.MarkEntrypointNotReady(v1alpha1.ReasonQueueUnavailable, former)
	}
}

// queueOf calls use with a client for the version's stream, as the version was started, or with
// the settings of now.
func (r *reconciler) queueOf(
	ctx context.Context, v *v1alpha1.Version, with *v1alpha1.StartedWith, use func(context.Context, *queueclient.Client) error,
) error {
	settings, err := r.settings.Get()
	if with != nil {
		settings, err = render.SettingsOf(with.Settings), nil
	}
	if err != nil {
		return err
	}
	files, err := r.queueCredentials(ctx, v, settings)
	if err != nil {
		return err
	}
	c, err := queueclient.Connect(queue.Settings{URL: settings.Queue()}, queueclient.Options{
		Namespace: v.Namespace, Version: v.Name, Files: files, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, queueTime)
	defer cancel()
	for !c.Connected() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the queue at %s does not respond", c.URL())
		case <-time.After(10 * time.Millisecond):
		}
	}
	return use(ctx, c)
}

// queueCredentials are those with which the version reaches its queue.
func (r *reconciler) queueCredentials(ctx context.Context, v *v1alpha1.Version, s render.Settings) (map[string][]byte, error) {
	if s.QueueSecret == "" {
		key, err := r.storeKey.Get()
		if err != nil {
			return nil, err
		}
		return queueFiles(v, key, s.QueueCA), nil
	}
	secret := &corev1.Secret{}
	if err := r.live.Get(ctx, types.NamespacedName{Namespace: v.Namespace, Name: s.QueueSecret}, secret); err != nil {
		return nil, fmt.Errorf("cannot read Secret %q: %w", s.QueueSecret, err)
	}
	return secret.Data, nil
}

// drainQueue has a version that stops accept no requests, and reports what still waits in its
// queue, as a text; empty when nothing does, or when the stop does not wait for it.
func (r *reconciler) drainQueue(ctx context.Context, v *v1alpha1.Version, now time.Time) (waits string, err error) {
	// What counts is how it was started: a version that stops may have another delivery already.
	if with := v.Status.StartedWith; with == nil || with.QueueSecret == "" || v.StopsNow() || v.DeletionTimestamp != nil {
		return "", nil
	}
	entrypoints := &appsv1.DeploymentList{}
	if runs, err := r.has(ctx, v, entrypoints); !runs || err != nil {
		return "", err
	}
	if err := r.closeEntrypoint(ctx, v); err != nil {
		return "", err
	}
	steps, err := r.fetchedSteps(ctx, v, &entrypoints.Items[0], now)
	if err != nil {
		log.FromContext(ctx).Error(err, "it is not known of which steps the entrypoint fetches events: all are waited for")
	}
	err = r.queueOf(ctx, v, v.Status.StartedWith, func(ctx context.Context, c *queueclient.Client) error {
		status, err := c.Find(ctx, v.Namespace, v.Name)
		if status != nil {
			waits = left(v, steps, status)
		}
		return err
	})
	if err != nil {
		return "what waits in its queue is not known: " + err.Error(), nil //nolint:nilerr // it is in the condition
	}
	return waits, nil
}

// left is what a version that stops waits for, as a text; empty: nothing. Nobody fetches the events of steps that are not
// among these: they do not keep it, and are named as long as others do. If the steps are not known, all keep it, and what
// to do about such events is named.
func left(v *v1alpha1.Version, steps []queue.Step, status *queue.Status) string {
	events, letters, former := status.Events, int64(0), ""
	for _, s := range status.Steps {
		if s.Node == queue.Postbox {
			letters += s.Events()
		}
		if steps != nil && !slices.Contains(steps, s.Step()) && s.Events() > 0 {
			events -= s.Events()
			former += fmt.Sprintf("; what node %q of workflow %q has left, %d, is not waited for, because the workflow no longer has it there",
				s.Node, s.Workflow, s.Events()) + dropOf(v, steps, s)
		}
	}
	if letters > 0 {
		former += fmt.Sprintf("; results and dead letters that the store has yet to accept: %d (the entrypoint's log has what it says)", letters)
	}
	if steps == nil {
		former += "; which of its steps the entrypoint fetches is not known; what nobody fetches is removed by: " +
			v.Command("queue drop", "--workflow", "WORKFLOW", "--node", "NODE")
	}
	switch events {
	case 0:
		return ""
	case 1:
		return "1 event is left in its queue" + former
	}
	return fmt.Sprintf("%d events are left in its queue", events) + former
}

// dropOf is how what a former step has left is removed; empty if that would remove what another step has left, too.
func dropOf(v *v1alpha1.Version, steps []queue.Step, former queue.StepStatus) string {
	if slices.ContainsFunc(steps, func(s queue.Step) bool { return s.Workflow == former.Workflow && s.Node == former.Node }) {
		return ""
	}
	return ": " + v.Command("queue drop", "--workflow", former.Workflow, "--node", former.Node)
}

// closeEntrypoint deletes the Service by which clients find the entrypoint, if it is the version's.
func (r *reconciler) closeEntrypoint(ctx context.Context, v *v1alpha1.Version) error {
	service := &corev1.Service{}
	err := r.client.Get(ctx, types.NamespacedName{Namespace: v.Namespace, Name: render.EntrypointServiceName(v.Name)}, service)
	if err == nil && metav1.IsControlledBy(service, v) {
		err = r.client.Delete(ctx, service, client.Preconditions{UID: &service.UID})
	}
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("cannot delete the Service of the entrypoint: %w", err)
	}
	return nil
}

// mayHaveStream reports whether the queue may have a stream of a version, whatever delivery it has by now: one that was
// stopped may have been given another one.
func mayHaveStream(v *v1alpha1.Version, with *v1alpha1.StartedWith) bool {
	return isDurable(v) || v.Status.Stream || with != nil && with.QueueSecret != ""
}

// deleteStream deletes what a version that is deleted has in the queue. The error is one that
// is worth waiting for.
func (r *reconciler) deleteStream(ctx context.Context, v *v1alpha1.Version, with *v1alpha1.StartedWith, now time.Time) error {
	if with != nil && with.QueueSecret == "" { // it has another delivery than when it had its stream
		with = nil
	}
	if !mayHaveStream(v, with) {
		return nil
	}
	err := r.queueOf(ctx, v, with, func(ctx context.Context, c *queueclient.Client) error { return c.Delete(ctx, v.Namespace, v.Name) })
	if err != nil && now.Sub(v.DeletionTimestamp.Time) > deletePatience {
		log.FromContext(ctx).Error(err, "the version goes without its stream, which stays in the queue",
			"stream", queue.Stream(v.Namespace, v.Name))
		return nil
	}
	return err
}
