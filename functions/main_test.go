// Package functions_test runs each example as its README says and calls it as
// a user would: by gRPC with reflection, by JSON, by a CloudEvent.
package functions_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"krt.dev/kn-krt/test/localrun"
)

// callers is how many call at the same time; each must get its own answer.
const callers = 200

func TestMain(m *testing.M) { localrun.Main(m) }

// call is a request and the answer that it must get, both JSON.
type call struct {
	name, rpc, workflow string
	request, want       string
}

// answersAlike calls in the three ways from outside; all must give the same.
func answersAlike(t *testing.T, v *localrun.Version, c call) {
	t.Helper()
	ctx := within(t)
	method, err := v.Method(ctx, c.rpc)
	require.NoError(t, err)

	answer, err := method.Call(ctx, c.request)
	require.NoError(t, err, "gRPC")
	require.JSONEq(t, c.want, answer, "gRPC")

	code, answer, err := method.CallJSON(ctx, c.request)
	require.NoError(t, err, "JSON")
	require.Equal(t, http.StatusOK, code, answer)
	require.JSONEq(t, c.want, answer, "JSON")

	answer, err = method.CallEvent(ctx, c.workflow, c.request)
	require.NoError(t, err, "CloudEvent")
	require.JSONEq(t, c.want, answer, "CloudEvent")
}

// fails calls rpc, whose handler must fail with text.
func fails(t *testing.T, v *localrun.Version, rpc, request, text string) {
	t.Helper()
	ctx := within(t)
	method, err := v.Method(ctx, rpc)
	require.NoError(t, err)
	_, err = method.Call(ctx, request)
	require.Equal(t, codes.Internal, status.Code(err), "%v", err)
	require.Equal(t, text, status.Convert(err).Message())
}

// manyAtOnce makes as many calls as there are callers, all at the same time;
// each says what is asked and what must be answered.
func manyAtOnce(t *testing.T, v *localrun.Version, rpc string, each func(caller int) (request, want string)) {
	t.Helper()
	ctx := within(t)
	method, err := v.Method(ctx, rpc)
	require.NoError(t, err)

	answers := make([]string, callers)
	group, ctx := errgroup.WithContext(ctx)
	for i := range callers {
		group.Go(func() (err error) {
			request, _ := each(i)
			answers[i], err = method.Call(ctx, request)
			return err
		})
	}
	require.NoError(t, group.Wait())
	for i, answer := range answers {
		_, want := each(i)
		require.JSONEq(t, want, answer, "caller %d", i)
	}
}

// saved waits until the version's store has a text at a path: nodes need not wait until it has what they save.
func saved(t *testing.T, v *localrun.Version, path, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(v.Store(t, path), text) }, time.Minute, 50*time.Millisecond, text)
}

// within bounds what a test waits for; it is far more than any call takes.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}
