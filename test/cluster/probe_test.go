package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWithPatience(t *testing.T) {
	got, err := withPatience(`# kept
kind: Service
---
kind: Deployment
spec:
  containers:
  - livenessProbe: {periodSeconds: 2, failureThreshold: 3}
    readinessProbe: {timeoutSeconds: 1}
`)
	require.NoError(t, err)
	require.Equal(t, `# kept
kind: Service
---
kind: Deployment
spec:
  containers:
  - livenessProbe:
      failureThreshold: 60
      periodSeconds: 2
      timeoutSeconds: 10
    readinessProbe:
      timeoutSeconds: 10

---
`, got)
	_, err = withPatience("kind: [")
	require.ErrorContains(t, err, "cannot change Knative's YAML: ")
}
