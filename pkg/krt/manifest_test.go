package krt_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/krt"
)

func TestOnlyWorkflow(t *testing.T) {
	workflows := []krt.Workflow{
		{Name: "a", Sequential: []string{"x", "y"}}, {Name: "b", Sequential: []string{"y"}},
	}
	for node, want := range map[string]string{"x": "a", "y": "", "z": ""} {
		require.Equal(t, want, krt.OnlyWorkflow(workflows, func(w krt.Workflow) krt.Workflow { return w }, node), node)
	}
}
