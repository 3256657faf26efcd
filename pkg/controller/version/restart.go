package version

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/observe"
	"krt.dev/kn-krt/pkg/render"
)

// restart is what a version is being restarted with, while the Sequences of that are
// created next to those in use.
type restart struct {
	with      v1alpha1.StartedWith
	workflows map[string]observe.Workflow
	// unconnected: a channel is not connected, which no watch reports.
	unconnected bool
}

// restart returns the plan for a restart with latest: what the version was started with,
// until the Sequences of latest, where they differ, are ready next to those in use. The input
// has the version and its streams.
func (r *reconciler) restart(ctx context.Context, in render.Input, latest v1alpha1.StartedWith, now time.Time) (plan, error) {
	before := in.Version.Status.StartedWith
	var err error
	if latest.Sequences, err = r.sequenceSuffix(ctx, in, latest); err != nil || latest.Sequences == before.Sequences {
		latest.FormerUntil = before.FormerUntil
		return plan{with: latest}, err
	}
	next, ready, err := r.nextSequences(ctx, in.Version, latest)
	if err != nil || !ready {
		return plan{with: *before.DeepCopy(), next: &next}, err
	}
	in.Settings = render.SettingsOf(before.Settings)
	until := now.Add(render.LongestWork(in) + in.Settings.ConnectionGrace).Truncate(time.Second)
	latest.FormerUntil = &metav1.Time{Time: until}
	return plan{with: latest}, nil
}

// nextSequences reads the Sequences of a restart with latest, and reports whether all
// are ready.
func (r *reconciler) nextSequences(
	ctx context.Context, v *v1alpha1.Version, latest v1alpha1.StartedWith,
) (next restart, ready bool, err error) {
	sequences, err := r.readSequences(ctx, v, latest.Sequences)
	if err != nil {
		return next, false, err
	}
	next, ready = restart{with: latest, workflows: map[string]observe.Workflow{}}, true
	for _, w := range v.Spec.Workflows {
		workflow := observe.Workflow{Sequence: sequences[w.Name]}
		if err := r.handOver(ctx, workflow.Sequence); err != nil {
			return next, false, err
		}
		if ready = ready && observe.SequenceReady(workflow.Sequence); ready {
			if workflow.Unconnected, err = r.unconnected(ctx, workflow.Sequence); err != nil {
				return next, false, err
			}
			next.unconnected = workflow.Unconnected != nil
			ready = !next.unconnected
		}
		next.workflows[w.Name] = workflow
	}
	return next, ready, nil
}

// sequenceSuffix is the suffix of the names of the Sequences of latest. It is that of
// those in use unless their specs differ, because a Sequence is never changed.
func (r *reconciler) sequenceSuffix(ctx context.Context, in render.Input, latest v1alpha1.StartedWith) (string, error) {
	in.Settings, in.Abilities = render.SettingsOf(latest.Settings), latest.Abilities
	if with := in.Version.Status.StartedWith; with != nil {
		in.SequenceSuffix = with.Sequences
	}
	existing, err := r.readSequences(ctx, in.Version, in.SequenceSuffix)
	if err != nil {
		return "", err
	}
	sequences, _ := render.Sequences(in) // its error is reported when the whole version is rendered
	for _, s := range sequences {
		live := existing[render.ComponentOf(s).Workflow]
		if live != nil && live.Annotations[render.AnnotationSpecHash] != s.Annotations[render.AnnotationSpecHash] {
			return render.SequenceSuffix(sequences), nil
		}
	}
	return in.SequenceSuffix, nil
}

// markCurrent marks whether the version was started with what the cluster has now.
func (r *reconciler) markCurrent(want desired, done applied, in observe.Input) {
	v, p := want.version, want.plan
	record, invalid := r.settings.Record()
	switch {
	case p.next != nil && !done.unrenderable:
		markRestart(v, in, p.next, done)
	case invalid != nil && v.Spec.Restart != p.with.Restart:
		v.MarkRestartFailing(v1alpha1.ReasonSettingsInvalid, invalid.Error())
	case invalid != nil:
		v.MarkCurrent() // it cannot be known, and the settings are reported elsewhere
	default:
		input := render.Input{Version: v, EntrypointImage: r.image, Addresses: want.addresses,
			Channels: want.channels, Streams: p.streams, Abilities: p.with.Abilities}
		behind := render.Behind(input, p.with.Settings, record)
		if p.with.Encrypted != p.encrypted {
			behind = append(behind, render.InternalTLS)
		}
		if p.with.EntrypointImage != r.image {
			behind = append(behind, "entrypoint-image")
		}
		if brings := p.with.Lacks(); done.outdated || len(brings) > 0 {
			behind = append(behind, v1alpha1.KnKrt(brings))
		}
		if len(behind) > 0 {
			v.MarkBehind(behind...)
			return
		}
		v.MarkCurrent()
	}
}

// markRestart marks what a restart waits for: the worst of what becomes of its Sequences.
func markRestart(v *v1alpha1.Version, in observe.Input, next *restart, done applied) {
	workflows := map[string]observe.Workflow{}
	for name, w := range next.workflows {
		w.Refused = done.refused[target{Component: render.Component{Workflow: name}, next: true}]
		workflows[name] = w
	}
	switch c := observe.Restart(v, in, workflows); {
	case c == nil:
		v.MarkRestarting("")
	case c.Reason == v1alpha1.ReasonDeploying:
		v.MarkRestarting(c.Message)
	default:
		v.MarkRestartFailing(c.Reason, c.Message)
	}
}
