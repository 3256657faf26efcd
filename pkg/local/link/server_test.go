package link_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/local/link"
	"krt.dev/kn-krt/pkg/runner"
)

// Whoever serves is called until its listener is closed, and its calls are waited for; whoever
// follows is called from then on.
func TestIsCalledWhileItServes(t *testing.T) {
	l := link.New("node")
	defer l.Close()
	h, _, _ := l.Handler()
	require.Nil(t, h)
	first := l.Listen()
	drain := first.(runner.Caller).Handle(http.NotFoundHandler())
	h, base, done := l.Handler()
	require.NotNil(t, h)
	require.NoError(t, first.Close())
	h, _, _ = l.Handler()
	require.Nil(t, h)

	second := l.Listen()
	followed := second.(runner.Caller).Handle(http.NotFoundHandler())
	require.NoError(t, first.Close())
	h, _, other := l.Handler()
	require.NotNil(t, h)

	over, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, base.Err())
	require.ErrorIs(t, drain(over), context.Canceled)
	require.Error(t, base.Err(), "what is left is cancelled")
	done()
	require.NoError(t, drain(t.Context()))
	require.NoError(t, second.Close())
	other()
	require.NoError(t, followed(t.Context()))
}
