package environment

import "time"

// Values are what the platform sets for one node. A zero value is not set.
type Values struct {
	Version, Runtime     string
	Node, NodeID         string
	Workflow, WorkflowID string

	BasePath, HandlerPath string
	ReplyURL, Store, Log  string
	StoreCredentials      string

	Timeout, BackgroundTimeout time.Duration
	MaxMessageBytes            int

	Workers, Queue int
	Fork, GPU      bool
	Python         string
}

// Each calls set for each variable that has a value, in the order of [Table].
func (v Values) Each(set func(name, value string)) {
	for _, variable := range Table() {
		if variable.value == nil {
			continue
		}
		if value := variable.value(v); value != "" || variable.empty {
			set(variable.Name, value)
		}
	}
}

func duration(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}
