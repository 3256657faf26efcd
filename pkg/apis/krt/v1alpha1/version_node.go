package v1alpha1

// MarkNodeReady reports that a node can handle requests, with its revision and image.
func (v *Version) MarkNodeReady(name, revision, image string) {
	if n := v.Status.node(name); n != nil {
		*n = NodeStatus{Name: name, Ready: true, Revision: revision, Image: image}
	}
}

// MarkNodeWaiting reports that a node that is ready has no pod now, because the one that is to
// handle requests waits for a machine.
func (v *Version) MarkNodeWaiting(name, message string) {
	if n := v.Status.node(name); n != nil && n.Ready {
		n.Reason, n.Message = ReasonWaitingForNode, trim(message)
	}
}

// MarkNodeNotReady reports why a node is not ready, and what to do next. ReasonDeploying and
// ReasonWaitingForNode are work in progress, any other reason needs a person. Revision and image stay as known.
// Names that the version does not have are ignored.
func (v *Version) MarkNodeNotReady(name, reason, message string) {
	if n := v.Status.node(name); n != nil {
		n.Ready, n.Reason, n.Message = false, reason, trim(message)
	}
}

// MarkWorkflowReady reports that a workflow's Sequence accepts events, and where, and the kind
// of its channels; both are empty with direct delivery.
func (v *Version) MarkWorkflowReady(name, address, channel string) {
	if w := v.Status.workflow(name); w != nil {
		*w = WorkflowStatus{Name: name, Ready: true, Address: address, Channel: channel}
	}
}

// MarkWorkflowLimited reports that a workflow that is ready may get messages that are too
// large for its channels.
func (v *Version) MarkWorkflowLimited(name, message string) {
	if w := v.Status.workflow(name); w != nil && w.Ready {
		w.Reason, w.Message = ReasonChannelLimit, trim(message)
	}
}

// MarkWorkflowNotReady reports why a workflow is not ready, and what to do next.
// ReasonDeploying is work in progress, any other reason needs a person. Address and channel stay
// as known. Names that the version does not have are ignored.
func (v *Version) MarkWorkflowNotReady(name, reason, message string) {
	if w := v.Status.workflow(name); w != nil {
		w.Ready, w.Reason, w.Message = false, reason, trim(message)
	}
}

func (s *VersionStatus) node(name string) *NodeStatus {
	for i := range s.Nodes {
		if s.Nodes[i].Name == name {
			return &s.Nodes[i]
		}
	}
	return nil
}

func (s *VersionStatus) workflow(name string) *WorkflowStatus {
	for i := range s.Workflows {
		if s.Workflows[i].Name == name {
			return &s.Workflows[i]
		}
	}
	return nil
}
