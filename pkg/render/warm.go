package render

import "krt.dev/kn-krt/pkg/apis/krt/v1alpha1"

// WarmsUp reports whether nodes of a version that are at zero are woken ahead.
func (s Settings) WarmsUp(v *v1alpha1.Version) bool { return first(s.WarmUp, v.Spec.Entrypoint.WarmUp) }

// Sleepers returns the URLs of the Knative Services of those nodes of a version that may be at zero, by their names.
func (s Settings) Sleepers(v *v1alpha1.Version) map[string]string {
	in := Input{Version: v, Settings: s}
	found := map[string]string{}
	for _, n := range v.Spec.Nodes {
		if least, _ := in.bounds(n); least == 0 {
			found[n.Name] = in.url(ServiceName(v.Name, n.Name))
		}
	}
	return found
}

// wake is which nodes the entrypoint wakes ahead of events: those of workflows with several.
func (in Input) wake() map[string]string {
	if !in.Warm || !in.Settings.WarmsUp(in.Version) {
		return nil
	}
	wake, all := map[string]string{}, in.Settings.Sleepers(in.Version)
	for _, w := range in.Version.Spec.Workflows {
		for _, node := range w.Sequential[min(1, len(w.Sequential)):] {
			if url, sleeps := all[node]; sleeps {
				wake[node] = url
			}
		}
	}
	return wake
}

func truth(to *bool, text string) error {
	if err := oneOf(new(string), text, "true", "false"); err != nil {
		return err
	}
	*to = text == "true"
	return nil
}
