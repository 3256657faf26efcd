package local

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/local/running"
)

func TestRequestsOfARunCanBeReadWithTheirMessages(t *testing.T) {
	r := startRun(t, newBundle(t), Options{})
	r.requireAnswer(t, "Both", "x", "world hello x")
	text, err := os.ReadFile(filepath.Join(r.state, filepath.FromSlash(running.File)))
	require.NoError(t, err)
	require.Contains(t, string(text), `"inspection":"`+r.serving.Inspection+`"`)
	require.Contains(t, string(text), `"version":"test-v1"`)

	from, err := inspection.New("http://"+r.serving.Inspection, nil)
	require.NoError(t, err)
	list, err := from.List(t.Context(), inspection.Filter{Workflow: "two"})
	require.NoError(t, err)
	require.Len(t, list, 1)
	one, err := from.Get(t.Context(), list[0].ID)
	require.NoError(t, err)
	require.True(t, one.Inspected)
	require.JSONEq(t, `"x"`, string(one.Input.JSON))
	require.Len(t, one.Steps, 2)
	require.JSONEq(t, `"hello x"`, string(one.Steps[1].Input.JSON))
	require.JSONEq(t, `"world hello x"`, string(one.Output.JSON))

	require.NoError(t, r.stop())
	require.NoFileExists(t, filepath.Join(r.state, filepath.FromSlash(running.File)))
}

func TestARunKeepsNoMessagesIfNobodyMayReadThem(t *testing.T) {
	r := startRun(t, newBundle(t), Options{Ports: Ports{Inspection: -1}})
	r.requireAnswer(t, "Both", "x", "world hello x")
	require.Empty(t, r.serving.Inspection)
	require.NoError(t, r.stop())
}
