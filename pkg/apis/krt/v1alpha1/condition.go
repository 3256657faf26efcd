package v1alpha1

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Types of the conditions of a Version. Ready summarizes the four that end in Ready. A Runtime has Ready, and
// Reachable. Status False is a cause that needs a person, Unknown is work in progress.
const (
	ConditionReady           = "Ready"
	ConditionConfigReady     = "ConfigReady"
	ConditionNodesReady      = "NodesReady"
	ConditionWorkflowsReady  = "WorkflowsReady"
	ConditionEntrypointReady = "EntrypointReady"
	ConditionPublished       = "Published"
	// ConditionCurrent is whether a version that runs was started with the settings and images that the
	// cluster has now. It does not depend on whether the version is healthy.
	ConditionCurrent = "Current"
	// ConditionStoreUnavailable is present while the store of a version that runs cannot be used. It is a
	// warning: the version stays as ready as it is.
	ConditionStoreUnavailable = "StoreUnavailable"
	// ConditionReachable, of a Runtime, is whether the Gateway that the settings name accepts the routes to the
	// published version. Without such a setting it is absent. Ready does not depend on it.
	ConditionReachable = "Reachable"
	// ConditionStopRefused is present while a published version is asked to stop.
	ConditionStopRefused = "StopRefused"
	// ConditionDeleteRefused is present while a published version is deleted.
	ConditionDeleteRefused = "DeleteRefused"
)

const (
	// maxHistory is how many entries a history keeps (the CRDs refuse more).
	maxHistory = 20
	// maxMessage is the maximum length of a condition's message in characters: enough for a cause and a
	// command, short enough for a terminal.
	maxMessage = 1024
	// maxNamed is how many names a message lists before it counts the rest.
	maxNamed = 5
)

// conditionOrder is the order of conditions in a status, so that two writes of the same state are
// the same bytes.
func conditionOrder(conditionType string) int {
	return slices.Index([]string{
		ConditionReady, ConditionConfigReady, ConditionNodesReady, ConditionWorkflowsReady, ConditionEntrypointReady,
		ConditionPublished, ConditionReachable, ConditionCurrent, ConditionStoreUnavailable, ConditionStopRefused, ConditionDeleteRefused,
	}, conditionType)
}

// setCondition sets c. The time of its last transition changes only with its status.
func setCondition(list *[]metav1.Condition, c metav1.Condition) {
	c.Message = trim(c.Message)
	meta.SetStatusCondition(list, c)
	slices.SortStableFunc(*list, func(a, b metav1.Condition) int { return conditionOrder(a.Type) - conditionOrder(b.Type) })
}

// trim makes one line of a message and cuts it to maxMessage characters: the schemas of CRDs count
// characters, while pkg/runner/clip counts bytes.
func trim(message string) string {
	message = strings.Join(strings.Fields(strings.ToValidUTF8(message, "?")), " ")
	if utf8.RuneCountInString(message) > maxMessage {
		message = string([]rune(message)[:maxMessage-1]) + "…"
	}
	return message
}

// quoted lists the first names, each quoted, and counts the rest.
func quoted(names []string) string {
	var list []string
	for _, name := range names[:min(len(names), maxNamed)] {
		list = append(list, fmt.Sprintf("%q", name))
	}
	text := strings.Join(list, ", ")
	if rest := len(names) - len(list); rest > 0 {
		text += fmt.Sprintf(" and %d more", rest)
	}
	return text
}

// appendHistory appends an entry and keeps the newest maxHistory.
func appendHistory[T any](history []T, entry T) []T {
	history = append(history, entry)
	return slices.Clone(history[max(0, len(history)-maxHistory):])
}
