package version

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	flowsv1 "knative.dev/eventing/pkg/apis/flows/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/apply"
	"krt.dev/kn-krt/pkg/observe"
	"krt.dev/kn-krt/pkg/render"
)

// next is what a version is being restarted with, while the Sequences of that are
// made beside those that serve.
type next struct {
	with      v1alpha1.StartedWith
	sequences map[string]*flowsv1.Sequence
	// unserved is a channel that is not connected yet.
	unserved string
}

// settle decides what the version is made of beside its content: what it was
// started with, once it is up; until then what is the cluster's now. It begins and
// ends a restart. It reports false when there have been no settings to start by.
func (r *reconciler) settle(ctx context.Context, a *attempt) (known bool, err error) {
	v := a.version
	record, unknown := r.settings.Record()
	with := v.Status.StartedWith
	isUp := a.isLive && with != nil
	switch {
	case unknown != nil && isUp:
	case unknown != nil:
		if !a.isLive {
			v.MarkEntrypointNotReady(v1alpha1.ReasonSettingsInvalid, unknown.Error())
		}
		return false, nil
	default:
		now := v1alpha1.StartedWith{Settings: record, EntrypointImage: r.image, Restart: v.Spec.Restart}
		if with, err = r.with(ctx, a, now); err != nil {
			return false, err
		}
	}
	v.Status.StartedWith = with
	a.settings = render.SettingsOf(with.Settings)
	a.settings.StartTimeout = startTimeout(r.settings)
	return true, nil
}

// with is what the version is to be made of where now is the cluster's.
func (r *reconciler) with(ctx context.Context, a *attempt, now v1alpha1.StartedWith) (with *v1alpha1.StartedWith, err error) {
	before := a.version.Status.StartedWith
	switch {
	case a.isLive && before == nil: // another program has started it, and recorded nothing
		return &now, nil
	case !a.isLive:
		now.Sequences, err = r.beside(ctx, a.version, now)
		return &now, err
	case before.Restart != now.Restart:
		if with, err = r.restart(ctx, a, now); err != nil {
			return nil, err
		}
	default:
		with = before
	}
	with = with.DeepCopy()
	with.Settings = render.Renew(with.Settings, now.Settings)
	return with, nil
}

// restart returns what the version is to be made of: what it was started with, until
// the Sequences of now, where they must be others, stand beside those that serve.
func (r *reconciler) restart(ctx context.Context, a *attempt, now v1alpha1.StartedWith) (*v1alpha1.StartedWith, error) {
	v, with := a.version, a.version.Status.StartedWith
	var err error
	if now.Sequences, err = r.beside(ctx, v, now); err != nil || now.Sequences == with.Sequences {
		now.FormerUntil = with.FormerUntil
		return &now, err
	}
	n := &next{with: now}
	if n.sequences, err = r.readSequences(ctx, v, now.Sequences); err != nil {
		return nil, err
	}
	for _, w := range v.Spec.Workflows {
		s := n.sequences[w.Name]
		if !observe.SequenceReady(s) {
			a.next = n
			return with, nil
		}
		if n.unserved, err = r.unserved(ctx, s); err != nil {
			return nil, err
		}
		if n.unserved != "" {
			a.next, a.soon = n, true
			return with, nil
		}
	}
	former := render.SettingsOf(with.Settings)
	until := a.now.Add(render.LongestWork(v, former) + former.ConnectionGrace).Truncate(time.Second)
	now.FormerUntil = &metav1.Time{Time: until}
	return &now, nil
}

// beside is what ends the names of the Sequences of now: as they are called that
// the version has, if those say the same, for one that is there is never changed.
func (r *reconciler) beside(ctx context.Context, v *v1alpha1.Version, now v1alpha1.StartedWith) (string, error) {
	in := render.Input{Version: v, Settings: render.SettingsOf(now.Settings)}
	if with := v.Status.StartedWith; with != nil {
		in.Sequences = with.Sequences
	}
	there, err := r.readSequences(ctx, v, in.Sequences)
	if err != nil {
		return "", err
	}
	desired, _ := render.Sequences(in) // its error is told when all of the version is rendered
	for i, s := range desired {
		live := there[v.Spec.Workflows[i].Name]
		if live != nil && live.Annotations[render.AnnotationSpecHash] != s.Annotations[render.AnnotationSpecHash] {
			return render.SequencesBeside(desired), nil
		}
	}
	return in.Sequences, nil
}

// identity tells what a version was started with from all else it may be.
func identity(with v1alpha1.StartedWith) string {
	with.Settings, with.FormerUntil = render.Lasting(with.Settings), nil
	return digestOf(with)
}

// made is the [apply.MadeAnnotation] of objects: what the version was started with,
// and what else they follow from.
func made(with v1alpha1.StartedWith, from ...any) string {
	return identity(with) + "-" + digestOf(from)
}

// content is what the spec says of nodes and entrypoint.
func content(v *v1alpha1.Version) v1alpha1.VersionSpec {
	spec := v.Spec
	spec.State, spec.Restart, spec.Comment = "", "", ""
	return spec
}

// sequenceContent is what the spec says of Sequences: workflows, and the times and
// the delivery of the entrypoint.
func sequenceContent(v *v1alpha1.Version) any {
	entrypoint := v.Spec.Entrypoint
	entrypoint.Files, entrypoint.Replicas = nil, nil
	return []any{v.Spec.Workflows, entrypoint}
}

func digestOf(value any) string {
	text, _ := json.Marshal(value) // of texts, numbers and maps of them, which can be written
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:6])
}

// spare tells what is not to be taken away although it is not desired: nothing of a
// version that is not up. Of one that is, what it was started with, which only
// another program does not desire; and what it had before a restart until the
// entrypoint's pods of that time have answered what they had, and are gone, and
// what they may have left at work in its Sequences is over.
func (r *reconciler) spare(ctx context.Context, a *attempt) func(client.Object) bool {
	if !a.isLive {
		return func(client.Object) bool { return false }
	}
	with := *a.version.Status.StartedWith
	id, left := identity(with), time.Duration(0)
	if with.FormerUntil != nil {
		left = with.FormerUntil.Sub(a.now)
	}
	var drained *bool
	return func(o client.Object) bool {
		if strings.HasPrefix(o.GetAnnotations()[apply.MadeAnnotation], id) {
			return true
		}
		if drained == nil {
			drained = new(r.drained(ctx, a, id))
		}
		_, isSequence := o.(*flowsv1.Sequence)
		if *drained && isSequence && left > 0 {
			a.later = left
		}
		return !*drained || isSequence && left > 0
	}
}

// drained reports whether all pods of the entrypoint are those of the Deployment as
// it now is. What cannot be read has not happened.
func (r *reconciler) drained(ctx context.Context, a *attempt, id string) bool {
	d := a.have.deployment
	if d == nil || a.outcome.changed(piece{}) || !observe.DeploymentReady(d) || !strings.HasPrefix(d.Annotations[apply.MadeAnnotation], id) {
		return false
	}
	pods, err := r.pods(ctx, a.version)
	return err == nil && !slices.ContainsFunc(pods, func(p corev1.Pod) bool {
		former := p.Annotations[render.AnnotationContentHash] != d.Spec.Template.Annotations[render.AnnotationContentHash]
		return isEntrypoint(p) && former && !isLost(p, a.now)
	})
}

// markCurrent marks whether the version was started with what is the cluster's now.
func (r *reconciler) markCurrent(a *attempt, w observe.View) {
	v := a.version
	record, unknown := r.settings.Record()
	wants := v.Spec.Restart != v.Status.StartedWith.Restart
	switch {
	case a.next != nil:
		observeNext(w, v, a.next, a.outcome)
	case unknown != nil && wants:
		v.MarkRestartFailing(v1alpha1.ReasonSettingsInvalid, unknown.Error())
	case unknown != nil:
		v.MarkCurrent() // it cannot be told, and is a cause of its own elsewhere
	default:
		with := v.Status.StartedWith
		behind := render.Behind(render.Input{Version: v, EntrypointImage: r.image, Addresses: a.addresses()}, with.Settings, record)
		if with.EntrypointImage != r.image {
			behind = append(behind, "entrypoint-image")
		}
		if a.outcome.kept {
			behind = append(behind, "kn-krt")
		}
		if len(behind) > 0 {
			v.MarkBehind(behind...)
			return
		}
		v.MarkCurrent()
	}
}

// observeNext marks what a restart waits for: the worst of what becomes of its Sequences.
func observeNext(w observe.View, v *v1alpha1.Version, n *next, o outcome) {
	seen := v.DeepCopy() // of which one what serves is not looked at
	waits := ""
	for i, workflow := range v.Spec.Workflows {
		name := workflow.Name
		w.Workflow(seen, name, n.sequences[name])
		if c := o.cause(piece{workflow: name, beside: true}); c != nil {
			seen.MarkWorkflowNotReady(name, c.Reason, c.Message)
		}
		switch s := seen.Status.Workflows[i]; {
		case s.Ready:
		case s.Reason != v1alpha1.ReasonDeploying:
			v.MarkRestartFailing(s.Reason, fmt.Sprintf("workflow %q: %s", name, s.Message))
			return
		case waits == "":
			waits = fmt.Sprintf("workflow %q: %s", name, s.Message)
		}
	}
	if n.unserved != "" {
		waits = fmt.Sprintf("Knative Eventing has not connected the channel %q yet", n.unserved)
	}
	v.MarkRestarting(waits)
}
