package version

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/render"
)

// plan is what a version is made of besides its spec.
type plan struct {
	with     v1alpha1.StartedWith
	settings render.Settings // of with, but for those that only the controller uses
	// streams are the workflows whose rpc returns a stream.
	streams map[string]bool
	// encrypted: Knative encrypts now what passes between its components.
	encrypted bool
	// next is a restart that is being prepared; nil if there is none.
	next *restart
}

func (p plan) poll() bool { return p.next != nil && p.next.unconnected }

// plan decides what the version is made of: what it was started with once it is live,
// until then the cluster's settings and image. It begins and ends a restart. It returns nil
// if the settings are invalid and the version needs them; a change of these requeues it.
func (r *reconciler) plan(ctx context.Context, v *v1alpha1.Version, now time.Time) (*plan, error) {
	before, live := v.Status.StartedWith, isLive(v.Status.Phase)
	found, err := r.check(ctx, v)
	encrypted, failed := r.encrypts(ctx, v)
	if err = errors.Join(err, failed); err != nil {
		return nil, err
	}
	in := render.Input{Version: v, Streams: found.streams}
	record, err := r.settings.Record()
	least := v1alpha1.StartedWith{Settings: record, EntrypointImage: r.image, Restart: v.Spec.Restart}
	latest := least
	latest.Abilities = v1alpha1.Latest()
	latest.Encrypted = encrypted
	var p plan
	switch {
	case err != nil && !live:
		v.MarkEntrypointNotReady(v1alpha1.ReasonSettingsInvalid, err.Error())
		return nil, nil
	case err != nil && before == nil:
		return nil, nil
	case err != nil:
		p.with, err = *before, nil
	case live && before == nil: // another kn-krt has started it, and recorded nothing
		p.with = least
	case !live:
		latest.Sequences, err = r.sequenceSuffix(ctx, in, latest)
		p.with = latest
	default:
		p.with = *before.DeepCopy()
		if before.Restart != latest.Restart {
			p, err = r.restart(ctx, in, latest, now)
		}
		p.with.Settings = render.Renew(p.with.Settings, record)
	}
	p.streams, p.encrypted = found.streams, encrypted
	p.settings = render.SettingsOf(p.with.Settings)
	p.settings.StartTimeout = startTimeout(r.settings)
	if failed := errors.Join(r.planStore(v, &p), r.planQueue(v, &p)); failed != nil {
		v.MarkEntrypointNotReady(v1alpha1.ReasonRefused, failed.Error())
		return nil, errors.Join(err, failed)
	}
	return &p, err
}

// identity is a digest of what a version was started with.
func identity(with v1alpha1.StartedWith) string {
	with.Settings, with.FormerUntil, with.StoreSecret, with.QueueSecret = render.Lasting(with.Settings), nil, "", ""
	return digest(with)
}

// madeOf is the [apply.MadeAnnotation] of objects: the identity of what the version was
// started with, and a digest of what else they are rendered from.
func madeOf(with v1alpha1.StartedWith, from ...any) string {
	return identity(with) + "-" + digest(from)
}

// content is what the spec says about nodes and entrypoint.
func content(v *v1alpha1.Version) v1alpha1.VersionSpec {
	spec := v.Spec
	spec.State, spec.Restart, spec.Comment = "", "", ""
	return spec
}

// sequenceContent is what the spec says about Sequences: workflows, and the times and
// the delivery of the entrypoint.
func sequenceContent(v *v1alpha1.Version) any {
	entrypoint := v.Spec.Entrypoint
	entrypoint.Files, entrypoint.Replicas = nil, nil
	return []any{v.Spec.Workflows, entrypoint}
}

func digest(value any) string {
	text, _ := json.Marshal(value) // strings, numbers and maps of them: this cannot fail
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:6])
}
