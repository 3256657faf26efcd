package channel

// Connected reports whether a channel, by its object, delivers what it accepts: its own
// condition Ready is True as it is now specified. A Sequence may be ready before: Knative's
// in-memory dispatcher reports that it serves a subscriber before it does, as long as the
// channel's controller has not seen the channel with that subscriber, and meanwhile accepts
// events and sends them to nobody (reconcile and patchSubscriberStatus in
// knative.dev/eventing v0.50.0, pkg/reconciler/inmemorychannel/dispatcher). A kind whose objects
// have no such condition counts as connected.
func Connected(object map[string]any) bool {
	metadata, _ := object["metadata"].(map[string]any)
	status, _ := object["status"].(map[string]any)
	generation, _ := metadata["generation"].(int64)
	if observed, known := status["observedGeneration"].(int64); known && observed != generation {
		return false
	}
	conditions, _ := status["conditions"].([]any)
	if status == nil {
		return false
	}
	for _, c := range conditions {
		if condition, _ := c.(map[string]any); condition["type"] == "Ready" {
			return condition["status"] == "True"
		}
	}
	return true
}

// Address is the URL inside a cluster at which a channel usually receives events: all kinds
// that kn-krt knows have a Service of that name. What a cluster has is in the object's status.
func Address(name, namespace, domain string) string {
	return "http://" + name + "-kn-channel." + namespace + ".svc." + domain
}
