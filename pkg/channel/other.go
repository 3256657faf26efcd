package channel

// other is any kind that kn-krt knows nothing of. By Knative's channel specification it
// responds once it has the event.
func other(group, name string) Kind { return Kind{Name: name, Group: group, Promise: Unknown} }
