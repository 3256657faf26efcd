package reference

import (
	"fmt"
	"strings"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/runner/event"
)

// remedies are what a person does about a reason. The cause is the comment of the reason's constant; the
// text of a condition also names the object and the command.
func remedies() map[string]string {
	return map[string]string{
		v1alpha1.ReasonWaitingForNode:    "Wait for the machine; the text has what an autoscaler reports: [GPUs](../how-to/gpu.md).",
		v1alpha1.ReasonBehind:            "`kn krt restart NAME` when it suits you.",
		v1alpha1.ReasonUnknownKeys:       "Remove the keys from the Secret, or declare them under `config`.",
		v1alpha1.ReasonChannelLimit:      "Raise the limit that the condition names, or lower `max-message-bytes`, if messages are that large.",
		v1alpha1.ReasonConfigMissing:     "`kn krt config NAME --set VARIABLE=VALUE`.",
		v1alpha1.ReasonConfigUnreadable:  "Bind the controller's role for Secrets in the namespace: `config/200-controller-role.yaml`.",
		v1alpha1.ReasonSettingsInvalid:   "Fix the key that the condition names in `config-krt`; see [settings](settings.md).",
		v1alpha1.ReasonInvalid:           "Fix `krt.yml` or the proto (`kn-krt validate` reports the place), and create a new version.",
		v1alpha1.ReasonNotOwned:          "Delete or rename the other object, or give the version another name.",
		v1alpha1.ReasonRefused:           "Read the text: it is the apiserver's. Usually a quota or a policy of the cluster.",
		v1alpha1.ReasonFeatureDisabled:   "Run the `kubectl patch` that the condition shows.",
		v1alpha1.ReasonServingMissing:    "Install Knative Serving; `kn krt doctor` has the command.",
		v1alpha1.ReasonEventingMissing:   "Install Knative Eventing, or set `delivery: Direct`.",
		v1alpha1.ReasonImageNotFound:     "Check the image's name, its registry and `image-pull-secrets`; `kn krt create` pushes it again.",
		v1alpha1.ReasonCrashed:           "`kn krt logs NAME --node NODE` has the last lines; run the same version with `kn-krt run`.",
		v1alpha1.ReasonNotAnswering:      "See the node's logs: `init` may wait for something, or take longer than `start-timeout`.",
		v1alpha1.ReasonUnschedulable:     "Add machines with what the pod requests, or request less (`resources`, `gpu`).",
		v1alpha1.ReasonRevisionFailed:    "`kubectl describe ksvc VERSION-NODE` shows Knative's own conditions.",
		v1alpha1.ReasonSequenceFailed:    "See the channel of `channel-template`: is its kind installed, and its dispatcher running?",
		v1alpha1.ReasonStoreUnavailable:  "`kn krt doctor`, and the logs of `krt-store-0` in `krt-system`. Versions stay ready.",
		v1alpha1.ReasonQueueUnavailable:  "Install the queue (`config/queue/`), or correct `queue-url`; see the logs of `krt-queue-0`.",
		v1alpha1.ReasonEntrypointFailed:  "`kn krt logs NAME --node entrypoint`.",
		v1alpha1.ReasonVersionNotFound:   "`kn krt list`, then publish one that is there.",
		v1alpha1.ReasonVersionNotReady:   "`kn krt describe NAME` shows why; `kn krt start NAME` if it is stopped.",
		v1alpha1.ReasonGatewayAPIMissing: "Install the Gateway API with your gateway controller, or remove the setting `gateway`.",
		v1alpha1.ReasonGatewayNotFound:   "Create the Gateway, or correct the setting `gateway`.",
		v1alpha1.ReasonRouteNotAccepted:  "The text is the gateway controller's; often no listener has the host, or allows the namespace.",
		v1alpha1.ReasonContractDiffers:   "`kn krt abort`; then publish a version that has what the text names, or this one without a canary.",
		v1alpha1.ReasonRestartNeeded:     "`kn krt restart NAME` of the version that the text names.",
		v1alpha1.ReasonPausedByHand:      "`kn krt resume` when it may go on: the step begins again.",
		v1alpha1.ReasonNoData:            "Wait for more traffic, or lower `minRequests`; `kn krt resume` begins the step again.",
		v1alpha1.ReasonUndecided:         "Look at the numbers, then `kn krt promote`, `kn krt abort`, or `kn krt resume` for more requests.",
		v1alpha1.ReasonLimitExceeded:     "Look at what the canary does (`kn krt requests NAME --failed`), then `kn krt abort`.",
		v1alpha1.ReasonCanaryNotReady:    "`kn krt describe NAME` of the canary shows why; then `kn krt resume`.",
		v1alpha1.ReasonPlanSucceeded:     "With `onSuccess: Pause`: `kn krt promote`.",
		event.ReasonHandlerError:         "The text is the handler's own. `kn krt requests NAME --failed` has what the node received.",
		event.ReasonHandlerPanic:         "As for an error; the stack is in the node's log.",
		event.ReasonWrongOutput:          "Let the last node return the rpc's output type; the text has both names.",
		event.ReasonUnavailable:          "Send the request again. If it stays, see the node's logs: it may exit, or be out of memory.",
		event.ReasonDeadline:             "Raise the client's deadline and `timeout`, or make the slow node faster: `kn-krt invoke --trace`.",
		event.ReasonTooLarge:             "Send less, or raise `max-message-bytes`.",
		event.ReasonStopping:             "Send the request again: another pod, or the published version, serves it.",
		event.ReasonOverload:             "Send the request again later, or raise `replicas` or `entrypoint-memory-budget`.",
		event.ReasonColdStart:            "Send the request again after the time in its `RetryInfo`; `scale.keep` keeps the last pod for longer.",
		event.ReasonStreamLimit:          "Let the node send fewer, larger messages, or raise `stream-messages`.",
	}
}

// reasons has those of responses and those of conditions.
func reasons(root string) (string, error) {
	var b strings.Builder
	begin(&b, "Reasons", "Why a request has failed, and why a version is not ready: each reason with its cause and what to do.")
	for _, from := range []struct{ title, about, file string }{
		{"Reasons of failed requests", "The reason of the `google.rpc.ErrorInfo` of domain `krt.dev` in the response; `kn-krt requests` shows it, too.",
			"pkg/runner/event/status.go"},
		{"Reasons of conditions", "The reason of a condition of a Version or a Runtime; `kn krt describe` shows it with the text.",
			"pkg/apis/krt/v1alpha1/reason.go"},
	} {
		file, err := goFile(root, from.file)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s", from.title, Wrap(from.about))
		groups, of := constants(file, "Reason")
		for _, group := range groups {
			if len(groups) > 1 {
				fmt.Fprintf(&b, "\n%s\n", group)
			}
			if err := reasonTable(&b, of[group], !strings.Contains(group, "need no person")); err != nil {
				return "", fmt.Errorf("%s: %w", from.file, err)
			}
		}
	}
	return b.String(), nil
}

// reasonTable has the reasons of a group. Where a person is needed, each must have a remedy.
func reasonTable(b *strings.Builder, group []constant, needed bool) error {
	b.WriteByte('\n')
	table(b, "reason", "cause", "what to do")
	known := remedies()
	for _, c := range group {
		if c.comment == "" {
			return fmt.Errorf("%s has no comment that says its cause", c.name)
		}
		if needed && known[c.value] == "" {
			return fmt.Errorf("%s has no remedy in remedies()", c.name)
		}
		row(b, literal(c.value), plain(c.comment), known[c.value])
	}
	return nil
}
