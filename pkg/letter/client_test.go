package letter

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// doer is a store that keeps all that it is sent.
type doer func(*http.Request)

func (d doer) Do(r *http.Request) (*http.Response, error) {
	d(r)
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("{}"))}, nil
}

// A credential that is refused may be accepted later: a key is being changed.
func TestTemporary(t *testing.T) {
	for status, want := range map[int]bool{
		http.StatusBadRequest: false, http.StatusConflict: false, http.StatusRequestEntityTooLarge: false,
		http.StatusUnauthorized: true, http.StatusForbidden: true, http.StatusTooManyRequests: true,
		http.StatusServiceUnavailable: true, http.StatusInsufficientStorage: true,
	} {
		require.Equal(t, want, Temporary(fmt.Errorf("cannot keep it: %w", &Error{status, ""})), status)
	}
}

// What a producer has written costs no letter, and one that cannot be kept is not tried again.
func TestPutOfAnyText(t *testing.T) {
	sent := 0
	c := New(doer(func(*http.Request) { sent++ }))
	l := valid()
	l.Event = map[string]string{"causationid": "a\x01\xff"}
	for _, id := range []string{"", "42", strings.Repeat("é", 150), "a\x00b", "a\xffb\x7f"} {
		l.CausationID = id
		require.NoError(t, c.Put(t.Context(), l))
	}
	require.Equal(t, 5, sent)
	require.Equal(t, "a\x01\xff", l.Event["causationid"], "the caller's own is not changed")
	require.Equal(t, "a\uFFFDb\uFFFD", l.Legal().CausationID)

	l.Node = "a\nb"
	err := c.Put(t.Context(), l)
	require.ErrorContains(t, err, "node: ")
	require.False(t, Temporary(err))
	require.Equal(t, 5, sent)
}
