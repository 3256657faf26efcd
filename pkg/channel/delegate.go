package channel

// delegate is Knative's Channel, which makes a channel of the kind that the cluster has as its
// default. Until that is known, it counts as the least of what it may be.
func delegate() Kind {
	k := memory()
	k.Name, k.Delegates, k.KeepsResponses = "Channel", true, false
	return k
}

// Became returns the text, for [Named], of the kind that a Channel has made, by its object;
// empty while it is not known.
func Became(object map[string]any) string {
	status, _ := object["status"].(map[string]any)
	made, _ := status["channel"].(map[string]any)
	kind, _ := made["kind"].(string)
	apiVersion, _ := made["apiVersion"].(string)
	if kind == "" {
		return ""
	}
	return Of(apiVersion, kind, nil).String()
}
