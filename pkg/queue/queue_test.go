package queue

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNames(t *testing.T) {
	step := Step{Workflow: "go-greet", Index: 2, Node: "re-rank"}
	require.Equal(t, "KRT_team-a_v1", Stream("team-a", "v1"))
	require.Equal(t, "krt.team-a.v1.>", Subjects("team-a", "v1"))
	require.Equal(t, "krt.team-a.v1.go-greet.2-re-rank", Subject("team-a", "v1", step))
	require.Equal(t, "go-greet_2-re-rank", step.Consumer())
	require.Equal(t, "abc/2", ID("abc", 2, 0))
	require.Equal(t, "abc/2/r3", ID("abc", 2, 3))
}

func TestNamesAreReadBack(t *testing.T) {
	namespace, version, ok := ParseStream("KRT_team-a_v1")
	require.True(t, ok)
	require.Equal(t, []string{"team-a", "v1"}, []string{namespace, version})
	for _, name := range []string{"", "KRT_", "KRT_a", "KRT__b", "KRT_a_", "OTHER_a_b", "KRT_a_b_c", "KRT_a_b.c"} {
		_, _, ok := ParseStream(name)
		require.Falsef(t, ok, "%q", name)
	}
	for _, name := range []string{"", "a", "a_", "a_b", "a_1", "a_1-", "_1-b", "a_-1-b", "a_01-b"} {
		_, ok := ParseConsumer(name)
		require.Falsef(t, ok, "%q", name)
	}
}

func FuzzParseConsumer(f *testing.F) {
	f.Add("greet_0-model")
	f.Add("a_1-b-c_d")
	f.Fuzz(func(t *testing.T, name string) {
		if step, ok := ParseConsumer(name); ok {
			require.Equal(t, name, step.Consumer())
		}
	})
}
