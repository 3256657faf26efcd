package main

import (
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"
)

// withPatience gives the probes in a stream of YAML more time. A machine of two
// cores that builds beside the cluster lets a program wait for seconds, and
// Knative's own probes restart one after three: its webhooks would refuse what
// tests create, and its dispatcher forget whom it serves.
func withPatience(stream string) (string, error) {
	var all strings.Builder
	for _, text := range strings.Split(stream, "\n---\n") {
		var object map[string]any
		if err := yaml.Unmarshal([]byte(text), &object); err != nil {
			return "", fmt.Errorf("cannot change Knative's YAML: %w", err)
		}
		if object["kind"] == "Deployment" {
			relax(object)
			changed, err := yaml.Marshal(object)
			if err != nil {
				return "", fmt.Errorf("cannot change Knative's YAML: %w", err)
			}
			text = string(changed)
		}
		all.WriteString(text + "\n---\n")
	}
	return all.String(), nil
}

// relax gives every probe below value ten seconds for an answer, and a program
// that lives a minute at least to show it.
func relax(value any) {
	switch value := value.(type) {
	case map[string]any:
		for key, below := range value {
			probe, is := below.(map[string]any)
			if is && (key == "livenessProbe" || key == "readinessProbe") {
				probe["timeoutSeconds"] = 10
				if key == "livenessProbe" {
					probe["failureThreshold"] = 60
				}
				continue
			}
			relax(below)
		}
	case []any:
		for _, below := range value {
			relax(below)
		}
	}
}
