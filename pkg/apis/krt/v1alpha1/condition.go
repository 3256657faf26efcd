package v1alpha1

// Types of the conditions of a Version. Ready sums up the others, Published aside.
const (
	ConditionReady           = "Ready"
	ConditionConfigReady     = "ConfigReady"
	ConditionNodesReady      = "NodesReady"
	ConditionWorkflowsReady  = "WorkflowsReady"
	ConditionEntrypointReady = "EntrypointReady"
	ConditionPublished       = "Published"
	// ConditionStopRefused is there while a published version is asked to stop.
	ConditionStopRefused = "StopRefused"
	// ConditionDeleteRefused is there while a published version is asked to go.
	ConditionDeleteRefused = "DeleteRefused"
)
