package v1alpha1

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Types of the conditions of a Version. Ready sums up the four that end in Ready;
// a Runtime has Ready alone. Status False is a cause that needs a person, Unknown
// is work in progress.
const (
	ConditionReady           = "Ready"
	ConditionConfigReady     = "ConfigReady"
	ConditionNodesReady      = "NodesReady"
	ConditionWorkflowsReady  = "WorkflowsReady"
	ConditionEntrypointReady = "EntrypointReady"
	ConditionPublished       = "Published"
	// ConditionCurrent tells whether a version that runs was started with all that is the
	// cluster's now. It says nothing about how the version does.
	ConditionCurrent = "Current"
	// ConditionStopRefused is there while a published version is asked to stop.
	ConditionStopRefused = "StopRefused"
	// ConditionDeleteRefused is there while a published version is asked to go.
	ConditionDeleteRefused = "DeleteRefused"
)

const (
	// maxHistory is how many entries a history keeps (the CRDs refuse more).
	maxHistory = 20
	// maxMessage is how many characters a condition's message has at most: enough
	// for a cause and a command, short enough for a terminal.
	maxMessage = 1024
	// maxNamed is how many names a message lists before it counts the rest.
	maxNamed = 5
)

// conditionOrder is the order in which conditions stand in a status, so that two
// writes of the same state are the same bytes.
func conditionOrder(conditionType string) int {
	return slices.Index([]string{
		ConditionReady, ConditionConfigReady, ConditionNodesReady, ConditionWorkflowsReady, ConditionEntrypointReady,
		ConditionPublished, ConditionCurrent, ConditionStopRefused, ConditionDeleteRefused,
	}, conditionType)
}

// setCondition puts c in its place. The time of its last transition moves only
// when its status does.
func setCondition(list *[]metav1.Condition, c metav1.Condition) {
	c.Message = trim(c.Message)
	meta.SetStatusCondition(list, c)
	slices.SortStableFunc(*list, func(a, b metav1.Condition) int { return conditionOrder(a.Type) - conditionOrder(b.Type) })
}

// trim makes one line of a message and cuts it to maxMessage characters.
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
