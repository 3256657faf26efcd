package remote

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/term"
)

func newPublishCommand(s term.Streams) *cobra.Command {
	o := &changeOptions{streams: s}
	return changeCommand(&cobra.Command{
		Use:   "publish NAME",
		Short: "Publish a version",
		Long: `Publish a started version: the Service active-entrypoint of the namespace leads to it
from then on. One version of a namespace is published at a time; the one before stays
started, and no request is lost.`,
		Example: `  kn-krt publish price-estimator-v3
  kn-krt publish price-estimator-v3 -m "better in New York"`,
	}, o, "published", runPublish)
}

func runPublish(ctx context.Context, c *Cluster, o changeOptions) error {
	v, err := c.version(ctx, o.name)
	if err != nil {
		return err
	}
	r, err := c.runtime(ctx)
	if err != nil {
		return err
	}
	if r != nil && r.Spec.PublishedVersion == o.name && r.Status.PublishedVersion == o.name {
		_, err := fmt.Fprintf(o.streams.Out, "Version '%s' is published already in namespace '%s'.\n", o.name, c.Namespace)
		return err
	}
	if err := c.requirePublishable(v); err != nil {
		return err
	}
	if err := c.point(ctx, r, o.name, o.comment); err != nil {
		return err
	}
	return c.awaitPublished(ctx, o)
}

// requirePublishable refuses what the controller would not publish either: a
// version that is not started and ready (KRT V1, lifecycle). One that is up and
// ready but for a moment, as while Knative looks at a Sequence anew, is waited for.
func (c *Cluster) requirePublishable(v *v1alpha1.Version) error {
	if v.WantedState() != v1alpha1.StateStarted {
		return term.WithHint(fmt.Errorf("cannot publish version %q: it is stopped", v.Name), "Start it with '%s'.", c.command("start %s", v.Name))
	}
	ready := v.Status.Condition(v1alpha1.ConditionReady)
	passing := v.Status.Phase == v1alpha1.PhaseStarted && ready != nil && ready.Status == metav1.ConditionUnknown
	if v.IsReady() || passing {
		return nil
	}
	d := readiness(v)
	return term.WithHint(fmt.Errorf("cannot publish version %q: it is not ready: %s", v.Name,
		cmp.Or(d.cause, d.now, "the controller has not looked at it yet")), "Wait for it with '%s'.", c.command("wait %s", v.Name))
}

// point makes the Runtime, which r is if there is one, say that the named version
// is published, or none.
func (c *Cluster) point(ctx context.Context, r *v1alpha1.Runtime, name, comment string) error {
	doing := fmt.Sprintf("cannot publish version %q", name)
	if name == "" {
		doing = "cannot unpublish"
	}
	if r == nil {
		r = &v1alpha1.Runtime{
			ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.RuntimeName, Namespace: c.Namespace},
			Spec:       v1alpha1.RuntimeSpec{PublishedVersion: name, Comment: comment},
		}
		return c.explainPoint(c.Create(ctx, r, client.FieldOwner(fieldOwner)), doing)
	}
	changed := r.DeepCopy()
	changed.Spec.PublishedVersion, changed.Spec.Comment = name, comment
	// The lock: what another person has published meanwhile is not undone unseen.
	patch := client.MergeFromWithOptions(r, client.MergeFromWithOptimisticLock{})
	return c.explainPoint(c.Patch(ctx, changed, patch, client.FieldOwner(fieldOwner)), doing)
}

func (c *Cluster) explainPoint(err error, doing string) error {
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		return term.WithHint(fmt.Errorf("%s: somebody else changed what is published in namespace %q at the same time", doing, c.Namespace),
			"Look with '%s', then try again.", c.command("list"))
	}
	return c.Explain(err, doing)
}

// awaitPublished waits, if that is wanted, until active-entrypoint leads to the version.
func (c *Cluster) awaitPublished(ctx context.Context, o changeOptions) error {
	out := o.streams.Out
	if !o.wait.wait {
		_, err := fmt.Fprintf(out, "Version '%s' is being published in namespace '%s'.\n", o.name, c.Namespace)
		return err
	}
	fmt.Fprintf(out, "Publishing version '%s' in namespace '%s':\n", o.name, c.Namespace)
	if err := c.awaitRuntime(ctx, out, o, true); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "Version '%s' published in namespace '%s'.\n", o.name, c.Namespace)
	return err
}

// awaitRuntime waits until the Runtime says that the version is published, or, with
// published false, that it is not.
func (c *Cluster) awaitRuntime(ctx context.Context, out io.Writer, o changeOptions, published bool) error {
	g := goal{state: "published", doing: "being published"}
	if !published {
		g = goal{state: "unpublished", doing: "being unpublished"}
	}
	fmt.Fprintln(out)
	w := &waiter[*v1alpha1.Runtime]{
		c: c, out: out, name: v1alpha1.RuntimeName,
		object: &v1alpha1.Runtime{}, list: &v1alpha1.RuntimeList{},
		judge: func(r *v1alpha1.Runtime, exists bool) verdict { return c.judgeRuntime(r, exists, o.name, published) },
	}
	err := w.wait(ctx, o.wait)
	if err == nil {
		c.awaitPhase(ctx, out, o.name, published)
	}
	if err == nil && w.told != "" {
		fmt.Fprintln(out)
	}
	return c.explainWait(err, o.name, g)
}

// followSeconds bounds the wait for a status that only follows another.
const followSeconds = 10

// awaitPhase waits until the version's own status has followed the Runtime's, so
// that who looks next sees what was said. If it does not, nothing is wrong.
func (c *Cluster) awaitPhase(ctx context.Context, out io.Writer, name string, published bool) {
	w := &waiter[*v1alpha1.Version]{
		c: c, out: out, name: name, object: &v1alpha1.Version{}, list: &v1alpha1.VersionList{},
		judge: func(v *v1alpha1.Version, exists bool) verdict {
			return verdict{done: !exists || (v.Status.Phase == v1alpha1.PhasePublished) == published}
		},
	}
	_ = w.wait(ctx, waitFlags{timeout: followSeconds})
}

func (c *Cluster) judgeRuntime(r *v1alpha1.Runtime, exists bool, name string, published bool) verdict {
	switch {
	case !exists && published:
		return verdict{cause: fmt.Sprintf("nothing is published in namespace %q", c.Namespace), final: true}
	case !exists:
		return verdict{done: true}
	case (r.Spec.PublishedVersion == name) != published:
		return verdict{cause: fmt.Sprintf("namespace %q is asked to publish %s", c.Namespace, orNothing(r.Spec.PublishedVersion)), final: true}
	case r.Status.ObservedGeneration < r.Generation:
		return verdict{now: fmt.Sprintf("Waiting for kn-krt's controller to see the change (if it does not: '%s doctor').", c.program), quiet: true}
	case (r.Status.PublishedVersion == name) == published:
		return verdict{done: true}
	}
	ready := r.Status.Condition(v1alpha1.ConditionReady)
	switch {
	case ready == nil:
		return verdict{}
	case ready.Status == metav1.ConditionFalse && !needsNobody(ready.Reason):
		return verdict{cause: causeOf(*ready)}
	default:
		return verdict{now: cmp.Or(ready.Message, ready.Reason)}
	}
}
