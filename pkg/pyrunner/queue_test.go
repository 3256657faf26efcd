package pyrunner_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// So many requests wait for the worker; one more is refused, for delivery to send
// it again, and the handler does not run for it.
func TestQueueIsBounded(t *testing.T) {
	n := start(t, `
def handler(ctx, data):
    tell(text(data))
    told[-1].recv(1)
    return StringValue(value="x")
`, map[string]string{"KRT_QUEUE": "2"})
	ctx, leave := context.WithCancel(t.Context())
	answers := make(chan answer)
	post := func(text string) {
		go func() {
			a, _ := n.postContext(ctx, request(text))
			answers <- a
		}()
	}
	post("first")
	require.Equal(t, "first", (<-n.told).text)
	for range 12 {
		post("another")
	}
	for range 10 { // nothing else is answered before
		a := <-answers
		require.Equal(t, http.StatusServiceUnavailable, a.status)
		require.Equal(t, "busy: 3 calls are waiting or running, the most the node accepts", a.body)
	}
	leave()
	for range 3 {
		<-answers
	}
}
