package logline

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStructuredLine(t *testing.T) {
	l := Parse(`{"level":"WARN","msg":"slow","node":"n","workflow":"w","correlationid":"c","trace_id":"t","span_id":"s",` +
		`"b":true,"c":"two words","a":{"x":1},"stack":"one\ntwo\n"}`)
	require.True(t, l.Structured())
	require.Equal(t, []string{"w", "c", "t", "one\ntwo"}, []string{l.Workflow(), l.ID(), l.Trace(), l.Stack()})
	require.Equal(t, []Attribute{{"a", "map[x:1]"}, {"b", "true"}, {"c", "two words"}}, l.Attributes())
	require.Equal(t, "WARN slow a=map[x:1] b=true c=\"two words\"\none\ntwo", l.Message())
	other := Parse(`{"severity":"x"}`)
	require.False(t, other.Structured())
	require.Empty(t, other.Attributes())
	require.Equal(t, `{"severity":"x"}`, other.Message())
}

func TestLevel(t *testing.T) {
	for text, want := range map[string]Level{
		`{"level":"DEBUG","msg":"m"}`: Debug, `{"level":"INFO+2","msg":"m"}`: Info, `{"level":"warning","msg":"m"}`: Warn,
		`{"severity":"ERROR"}`: Error, `{"level":"fatal"}`: Error, `{"level":7}`: Info, "ERROR: plain": Info,
	} {
		l := Parse(text)
		require.Equal(t, want, l.Level(), text)
	}
	for _, l := range Levels() {
		parsed, ok := ParseLevel(l.String())
		require.True(t, ok)
		require.Equal(t, l, parsed)
	}
	_, ok := ParseLevel("loud")
	require.False(t, ok)
}
