package logline

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	l := Parse(`2026-11-22T22:50:56.000000001Z {"msg":"slow","n":3,"b":true}`)
	require.Equal(t, time.Date(2026, 11, 22, 22, 50, 56, 1, time.UTC), l.Time)
	require.Equal(t, []string{"slow", "3", "true", ""}, []string{l.Field("msg"), l.Field("n"), l.Field("b"), l.Field("none")})
	l = Parse("unable to retrieve container logs for containerd://1")
	require.True(t, l.Time.IsZero())
	require.Equal(t, "unable to retrieve container logs for containerd://1", l.Text)
	require.Nil(t, l.Fields)
	require.Equal(t, `{"msg":`, Parse(`2026-11-22T22:50:56Z {"msg":`).Text)
}

func TestLongLinesAreCut(t *testing.T) {
	long := strings.Repeat("é", Max) // of two bytes each
	lines := NewReader(strings.NewReader("a" + long + "\r\nnext\r\n\nlast"))
	for _, want := range []struct {
		text  string
		whole bool
	}{{"a" + long[:Max-2], true}, {"next", true}, {"", true}, {"last", false}} {
		text, whole, _ := lines.Next()
		require.Equal(t, want.whole, whole)
		require.True(t, text == want.text, "%.20s", text)
	}
}

// A line that has no end is returned as soon as it is too long.
func TestALineWithoutAnEndIsCut(t *testing.T) {
	from := &endless{}
	text, whole, err := NewReader(from).Next()
	require.NoError(t, err)
	require.True(t, whole)
	require.Len(t, text, Max)
	require.Less(t, from.read, 2*Max)
}

type endless struct{ read int }

func (e *endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	e.read += len(b)
	return len(b), nil
}
