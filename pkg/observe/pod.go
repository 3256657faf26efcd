package observe

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// sidecar is the container that Knative adds to a node's. Its state counts only if that of
// the node's own container is no cause.
const sidecar = "queue-proxy"

// podsCause is why none of the pods is ready; nil while they may just be starting. If pods
// differ, the cause is that of the oldest one that has any, so that the message stays when
// more of them fail; of one that has ended only if no other is in its place. other is the
// reason of a failure that has none of its own.
func (in Input) podsCause(pods []corev1.Pod, other string) *Cause {
	pods = slices.DeleteFunc(slices.Clone(pods), func(p corev1.Pod) bool { return p.DeletionTimestamp != nil })
	if left := slices.DeleteFunc(slices.Clone(pods), func(p corev1.Pod) bool { return HasEnded(&p) }); len(left) > 0 {
		pods = left
	}
	slices.SortStableFunc(pods, func(a, b corev1.Pod) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
	})
	for i := range pods {
		if c := in.podCause(&pods[i], other); c != nil {
			return c
		}
	}
	return nil
}

func (in Input) podCause(pod *corev1.Pod, other string) *Cause {
	if conditionIs(pod, corev1.PodReady, corev1.ConditionTrue) != nil {
		return nil
	}
	if c := conditionIs(pod, corev1.PodScheduled, corev1.ConditionFalse); c != nil && c.Reason == corev1.PodReasonUnschedulable {
		return &Cause{v1alpha1.ReasonUnschedulable, unschedulable(c.Message)}
	}
	if pod.Status.Phase == corev1.PodFailed && pod.Status.Reason != "" { // evicted, or refused by the kubelet
		return &Cause{other, fmt.Sprintf("its pod has failed: %s: %s", pod.Status.Reason, pod.Status.Message)}
	}
	containers := slices.Clone(pod.Status.ContainerStatuses)
	slices.SortStableFunc(containers, func(a, b corev1.ContainerStatus) int { return rank(a) - rank(b) })
	for _, c := range containers {
		// Knative's sidecar probes: a node's own container counts as ready as soon as it
		// runs, also when it has just been restarted.
		if c.Ready && c.RestartCount == 0 {
			continue
		}
		if found := in.containerCause(c, other); found != nil {
			return found
		}
	}
	return in.eventCause(pod, other)
}

// HasEnded reports whether the containers of a pod have ended for good, as those of an evicted one: Kubernetes
// keeps it for its status, and its ReplicaSet has another one in its place.
func HasEnded(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded
}

// isOver reports whether a pod will never be ready again.
func isOver(pod *corev1.Pod) bool { return pod.DeletionTimestamp != nil || HasEnded(pod) }

// conditionIs returns a pod's condition of the type if it has that status.
func conditionIs(pod *corev1.Pod, t corev1.PodConditionType, status corev1.ConditionStatus) *corev1.PodCondition {
	for i, c := range pod.Status.Conditions {
		if c.Type == t && c.Status == status {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}

func rank(c corev1.ContainerStatus) int {
	if c.Name == sidecar {
		return 1
	}
	return 0
}

// unschedulable quotes the scheduler, without its notes about claims and preemption.
func unschedulable(message string) string {
	message, _, _ = strings.Cut(message, " preemption:")
	message, _, _ = strings.Cut(message, " no new claims to deallocate")
	message = strings.TrimSuffix(strings.TrimSpace(message), ".")
	return fmt.Sprintf("its pod cannot be scheduled on any node of the cluster: %s; see: kubectl describe nodes", message)
}

func (in Input) containerCause(c corev1.ContainerStatus, other string) *Cause {
	ended := c.State.Terminated
	if ended == nil {
		ended = c.LastTerminationState.Terminated
	}
	waiting := c.State.Waiting
	switch {
	case waiting != nil && isPull(waiting.Reason):
		return &Cause{v1alpha1.ReasonImageNotFound, pullText(c.Image, waiting.Message)}
	case ended != nil:
		return &Cause{v1alpha1.ReasonCrashed, in.crash(c.Name, ended)}
	case waiting != nil && isCreation(waiting.Reason):
		return &Cause{other, fmt.Sprintf("its container cannot be started: %s: %s", waiting.Reason, in.Config.Mask.Quote(waiting.Message))}
	case c.State.Running != nil && in.Now.Sub(c.State.Running.StartedAt.Time) > in.StartTimeout:
		return &Cause{v1alpha1.ReasonNotAnswering,
			fmt.Sprintf("its container has been running for more than %s and is not ready: it may still be in init", in.StartTimeout)}
	}
	return nil
}

// isPull reports whether the kubelet cannot get an image (its reasons).
func isPull(reason string) bool {
	return slices.Contains([]string{"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError",
		"RegistryUnavailable", "SignatureValidationFailed"}, reason)
}

// isCreation reports whether the kubelet cannot create a container from an image that it has.
func isCreation(reason string) bool {
	return slices.Contains([]string{"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PreCreateHookError",
		"PreStartHookError", "PostStartHookError"}, reason)
}

// pullText keeps the registry's error, which is last in the message, and leaves out the
// programs that have passed it on, each with the image's name. So the text is the same
// while the kubelet pulls and while it waits.
func pullText(image, message string) string {
	if i := strings.LastIndex(message, image); i >= 0 {
		if last := strings.TrimLeft(message[i+len(image):], "\": "); last != "" {
			message = last
		}
	}
	message = cmp.Or(shorten(strings.TrimSpace(message)), "no reason given")
	return fmt.Sprintf("image %q cannot be pulled: %s", image, message)
}

// crash describes how a container ended, but not how often: that would be a new message
// for each restart.
func (in Input) crash(container string, t *corev1.ContainerStateTerminated) string {
	what := "its container"
	if container == sidecar {
		what = "Knative's container " + sidecar
	}
	how := fmt.Sprintf("ended with exit code %d", t.ExitCode)
	switch {
	case t.Reason == "OOMKilled":
		return what + " ran out of memory and was killed (OOMKilled); raise its resources.limits.memory"
	case t.Signal != 0:
		how = fmt.Sprintf("was killed by signal %d", t.Signal)
	}
	if last := in.Config.Mask.Quote(t.Message); last != "" {
		return fmt.Sprintf("%s %s: %s", what, how, last)
	}
	return fmt.Sprintf("%s %s and logged nothing", what, how)
}

// NeedsEvents reports whether only events show what a pod waits for: it is scheduled, and
// its containers have not been created for longer than is usual.
func NeedsEvents(pod *corev1.Pod, now time.Time) bool {
	const usual = 10 * time.Second
	young := now.Sub(pod.CreationTimestamp.Time) < usual
	if young || pod.DeletionTimestamp != nil || pod.Spec.NodeName == "" || pod.Status.Phase != corev1.PodPending {
		return false
	}
	return !slices.ContainsFunc(pod.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool {
		return c.State.Waiting == nil || isPull(c.State.Waiting.Reason) || isCreation(c.State.Waiting.Reason)
	})
}

// eventCause is the newest warning: a volume that cannot be mounted, a network that cannot
// be set up. The scheduler's are past, because the pod is scheduled, and so are those that
// have not been repeated for the start timeout.
func (in Input) eventCause(pod *corev1.Pod, other string) *Cause {
	var newest *corev1.Event
	var at time.Time
	for i, e := range in.Events[pod.UID] {
		last, _ := Occurrences(&e)
		if e.Type != corev1.EventTypeWarning || e.Reason == "FailedScheduling" || in.Now.Sub(last) > in.StartTimeout {
			continue
		}
		if newest == nil || last.After(at) {
			newest, at = &in.Events[pod.UID][i], last
		}
	}
	if newest == nil {
		return nil
	}
	return &Cause{other, fmt.Sprintf("its pod cannot be started: %s: %s", newest.Reason, in.Config.Mask.Quote(newest.Message))}
}

// Occurrences returns when an event occurred last, and how often it did, at least once.
// Events of the group events.k8s.io have that in other fields than older ones.
func Occurrences(e *corev1.Event) (last time.Time, count int32) {
	switch {
	case e.Series != nil:
		return e.Series.LastObservedTime.Time, max(e.Series.Count, 1)
	case !e.LastTimestamp.IsZero():
		last = e.LastTimestamp.Time
	case !e.EventTime.IsZero():
		last = e.EventTime.Time
	default:
		last = e.CreationTimestamp.Time
	}
	return last, max(e.Count, 1)
}
