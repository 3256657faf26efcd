package v1alpha1

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Use is what a runtime does with a version.
type Use string

// The uses of a version.
const (
	UseNone      Use = ""
	UsePublished Use = "Published"
	UseCanary    Use = "Canary"
)

// Uses returns what the runtime does with a version, or is about to do: the spec names it, or the
// status still does.
func (r *Runtime) Uses(version string) Use {
	c, s := r.Spec.Canary, r.Status.Canary
	switch {
	case version == "":
		return UseNone
	case r.Spec.PublishedVersion == version, r.Status.PublishedVersion == version:
		return UsePublished
	case c != nil && c.Version == version, s != nil && s.Version == version:
		return UseCanary
	}
	return UseNone
}

// Receives reports whether a version may get requests or copies now because it is the canary.
func (r *Runtime) Receives(version string) bool {
	s := r.Status.Canary
	return s != nil && s.Receiving && s.Version == version
}

// CanaryShare returns what the canary gets now, for people: "10 % of the requests".
func (r *Runtime) CanaryShare() string {
	s := r.Status.Canary
	if s == nil || !s.Receiving || s.Phase == CanaryWaiting || s.Phase == CanaryRefused {
		return "no requests"
	}
	var parts []string
	if s.Weight > 0 {
		parts = append(parts, fmt.Sprintf("%d %% of the requests", s.Weight))
	}
	if r.Spec.Canary != nil && len(r.Spec.Canary.Match) > 0 && s.Weight < 100 {
		parts = append(parts, "the requests with its metadata")
	}
	if s.Mirror > 0 {
		parts = append(parts, fmt.Sprintf("copies of %d %%", s.Mirror))
	}
	if parts == nil {
		return "no requests"
	}
	return strings.Join(parts, ", ")
}

// ID identifies the canary of a published version: what it gets, and its plan. What pauses and resumes the
// plan is not part of it.
func (c *Canary) ID(published string) string {
	of := *c
	of.Paused, of.Resume = false, ""
	text, _ := json.Marshal([]any{published, of}) // strings and numbers: this cannot fail
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:6])
}

// SetDefaults sets what is not set, as the API server does when it admits a Runtime: the markers of the
// fields have the same values.
func (p *CanaryPlan) SetDefaults() {
	set := func(to *int32, value int32) {
		if *to == 0 {
			*to = value
		}
	}
	set(&p.MinRequests, 100)
	if p.Limits.Accuracy != nil {
		set(&p.Limits.Accuracy.MinSamples, 200)
	}
	if p.Limits.Agreement != nil {
		set(&p.Limits.Agreement.MinSamples, 100)
	}
	if p.OnFailure == "" {
		p.OnFailure = CanaryRollback
	}
	if p.OnSuccess == "" {
		p.OnSuccess = CanaryPromote
	}
	if p.WaitLimit.Duration == 0 {
		p.WaitLimit.Duration = 2 * time.Hour
	}
}
