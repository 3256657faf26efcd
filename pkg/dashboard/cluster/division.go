package cluster

import (
	"cmp"
	"context"
	"fmt"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/inspection"
)

// share is what the version gets while there is a canary; nil if it gets nothing, or there is none.
func (s seen) share() *source.Share {
	if s.runtime == nil || s.runtime.Status.Canary == nil {
		return nil
	}
	r, canary := s.runtime, s.runtime.Status.Canary
	switch s.version.Name {
	case canary.Version:
		return new(shareOf(r))
	case r.Status.PublishedVersion:
		return &source.Share{Other: canary.Version, Weight: 100 - int(canary.Weight)}
	}
	return nil
}

// shareOf is the share of the canary.
func shareOf(r *v1alpha1.Runtime) source.Share {
	s := r.Status.Canary
	return source.Share{
		Canary: true, Other: r.Status.PublishedVersion, Weight: int(s.Weight), Mirror: int(s.Mirror),
		Planned: r.Spec.Canary != nil && r.Spec.Canary.Plan != nil,
		Paused:  s.Phase == v1alpha1.CanaryPaused, Ended: s.Phase == v1alpha1.CanaryRolledBack,
	}
}

// Division implements [source.Dividers].
func (s *Source) Division(ctx context.Context, ref source.Ref) (*source.Division, error) {
	found, err := s.find(ctx, ref)
	if err != nil {
		return nil, err
	}
	d := &source.Division{}
	r := found.runtime
	if r == nil {
		return d, nil
	}
	if name := cmp.Or(r.Status.PublishedVersion, r.Spec.PublishedVersion); name != "" {
		d.Published = source.Ref{Namespace: ref.Namespace, Name: name}
	}
	if r.Status.Canary != nil {
		d.Canary = canaryOf(r)
	}
	return d, nil
}

// canaryOf is the canary as pages show it.
func canaryOf(r *v1alpha1.Runtime) *source.Canary {
	s, spec := r.Status.Canary, r.Spec.Canary
	c := &source.Canary{
		Ref: source.Ref{Namespace: r.Namespace, Name: s.Version}, Share: shareOf(r),
		Phase: string(s.Phase), Verdict: cmp.Or(s.Message, s.Reason), Step: int(s.Step),
		Bad:               s.Phase == v1alpha1.CanaryRefused || s.Phase == v1alpha1.CanaryRolledBack,
		Good:              s.Phase == v1alpha1.CanaryServing || s.Phase == v1alpha1.CanaryProgressing || s.Phase == v1alpha1.CanaryPromoting,
		PublishedRequests: s.Samples.Published, CanaryRequests: s.Samples.Canary,
		Fallbacks: s.Samples.Fallbacks, Mirrored: s.Samples.Mirrored, Equal: s.Samples.Equal,
	}
	if s.Since != nil {
		c.Since = s.Since.Time
	}
	for _, v := range s.Values {
		c.Values = append(c.Values, source.JudgedValue(v))
	}
	if spec == nil || spec.Version != s.Version {
		return c
	}
	for _, m := range spec.Match {
		c.Rules = append(c.Rules, fmt.Sprintf("Requests with %s: %s go to %s.", m.Metadata, m.Value, s.Version))
	}
	if spec.Sticky != nil {
		c.Rules = append(c.Rules, fmt.Sprintf("The value of %s decides which version a request gets.", spec.Sticky.Metadata))
	}
	if spec.Plan != nil {
		for _, step := range spec.Plan.Steps {
			c.Steps = append(c.Steps, source.PlanStep{Weight: int(step.Weight), For: step.For.Duration})
		}
	}
	return c
}

// Differences implements [source.Dividers].
func (s *Source) Differences(ctx context.Context, ref source.Ref) ([]inspection.Difference, []string, error) {
	d, err := s.Division(ctx, ref)
	if err != nil || d.Canary == nil || d.Published.Name == "" {
		return nil, nil, err
	}
	var notes []string
	from, err := s.requests(d.Published, func(text string) { notes = append(notes, text) })
	if err != nil {
		return nil, nil, err
	}
	list, err := from.Differences(ctx, d.Canary.Name)
	return list, notes, s.ofRequests(d.Published, err)
}
