// Package offer says which actions a version in its state has a button for, and why one is not possible.
package offer

import "krt.dev/kn-krt/pkg/dashboard/source"

// Made reports whether a version in its state has a button for the action.
func Made(v *source.Version, a source.Action) bool {
	if a.OfCanary() {
		return v.Share != nil && v.Share.Canary && madeToCanary(v.Share, a)
	}
	stopped := v.State == source.Stopped || v.State == source.Stopping
	switch a {
	case source.Start:
		return stopped
	case source.Stop, source.Restart:
		return !stopped
	case source.Publish:
		return !v.Published && (v.Share == nil || !v.Share.Canary) // a canary is promoted
	case source.Unpublish, source.Rollback:
		return v.Published
	}
	return true
}

func madeToCanary(s *source.Share, a source.Action) bool {
	switch a {
	case source.Pause:
		return s.Planned && !s.Paused && !s.Ended
	case source.Resume:
		return s.Planned && s.Paused
	case source.Weigh:
		return !s.Planned
	}
	return true
}

// Impossible is why the version's state does not allow the action; empty if it does (KRT V1,
// "Version lifecycle"). The source decides; this is for buttons only.
func Impossible(v *source.Version, a source.Action) string {
	ends := a == source.Stop || a == source.Delete
	switch share := v.Share; {
	case share != nil && share.Canary && ends:
		return "Promote or abort it first."
	case share != nil && !share.Canary && (a == source.Unpublish || a == source.Rollback):
		return "Promote or abort its canary " + share.Other + " first."
	case v.Published && ends:
		return "Unpublish it first."
	}
	return unready(v.State, a)
}

// unready is why a version in that state cannot be published, promoted or deleted.
func unready(state source.State, a source.Action) string {
	published := a == source.Publish || a == source.Promote
	switch {
	case published && state == source.Stopped:
		return "Start it first."
	case published && state != source.Ready && state != source.Asleep:
		return "It must be ready first."
	case a == source.Delete && state != source.Stopped:
		return "Stop it first."
	}
	return ""
}
