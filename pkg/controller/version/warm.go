package version

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/controller/warm"
)

// wakeInterval is after what time it is looked again whether nodes are up that have not been down for longer than
// wakeTime: others may never come up, which is no reason to reconcile so often for days.
const (
	wakeInterval = time.Second
	wakeTime     = 2 * time.Minute
)

// keepWarm keeps the nodes of a version up for as long as its annotation says, and marks which are not up yet. It
// returns after what time to reconcile again, 0 for never, if that is requeue for other reasons.
func (r *reconciler) keepWarm(v *v1alpha1.Version, now time.Time, requeue time.Duration) time.Duration {
	until, problem := v.WarmUntil(now)
	if problem != "" {
		v.Status.Warm = &v1alpha1.Warm{Message: problem}
		if isLive(v.Status.Phase) && !until.IsZero() { // too far ahead: it has its effect later, which nothing else reports
			requeue = sooner(requeue, until.Sub(now)-v1alpha1.MostWarm+time.Millisecond)
		}
		return requeue
	}
	if !isLive(v.Status.Phase) || !now.Before(until) {
		v.Status.Warm = nil
		return requeue
	}
	w, soon := &v1alpha1.Warm{Until: metav1.NewTime(until)}, false
	for _, d := range r.warmer.Wake(v, now) {
		if w.Waiting = append(w.Waiting, d.Name); w.Message == "" {
			w.Message = d.Why
		}
		soon = soon || now.Sub(d.Since) < wakeTime
	}
	again := warm.Interval
	if soon && dueForMachines(v, 0) == 0 { // that takes minutes, and each look asks the apiserver for events
		again = wakeInterval
	}
	v.Status.Warm = w
	if requeue > 0 {
		again = min(again, requeue)
	}
	return min(again, until.Sub(now)+time.Millisecond)
}
