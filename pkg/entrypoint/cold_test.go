package entrypoint_test

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/entrypoint/cold"
	"krt.dev/kn-krt/pkg/runner/event"
)

// coldOptions are options of an entrypoint that has been told that node model waits.
func coldOptions(t *testing.T) entrypoint.Options {
	t.Helper()
	folder := t.TempDir()
	text := cold.Text([]cold.Node{{Node: "model", Resource: "nvidia.com/gpu", Since: time.Now().Add(-3 * time.Minute)}})
	require.NoError(t, os.WriteFile(filepath.Join(folder, cold.File), []byte(text), 0o600))
	o := quick()
	o.Cold = cold.New(folder, slog.New(slog.DiscardHandler))
	return o
}

// silent is a node that never responds.
func silent(t *testing.T, name string) entrypoint.Step {
	t.Helper()
	return node(t, name, func(ctx context.Context, _ *event.Event) (int, *event.Event) {
		<-ctx.Done()
		return http.StatusAccepted, nil
	})
}

const waitsForMachine = `node "model": waiting for a machine with nvidia.com/gpu, since 3m`

// requireCold wants the failure of a client that waits for node model.
func requireCold(t *testing.T, err error) {
	t.Helper()
	require.Equal(t, codes.Unavailable, status.Code(err), "%v", err)
	require.Equal(t, waitsForMachine, status.Convert(err).Message())
	details := status.Convert(err).Details()
	require.Len(t, details, 2)
	info := details[0].(*errdetails.ErrorInfo)
	require.Equal(t, event.ReasonColdStart, info.GetReason())
	require.Equal(t, map[string]string{"node": "model", "workflow": "flow", "version": "v1"}, info.GetMetadata())
	require.Equal(t, 30*time.Second, details[1].(*errdetails.RetryInfo).GetRetryDelay().AsDuration())
}

// The client has the deadline that the entrypoint has, and learns the cause before it.
func TestAClientLearnsThatANodeWaitsForAMachine(t *testing.T) {
	t.Parallel()
	inTime(t, 10*time.Second, func(patience time.Duration) bool { // it learns that a second before the end
		f, o := newFixture(t), coldOptions(t)
		o.Timeout = time.Minute
		f.serve(f.version(node(t, "etl", f.says("etl", false)), silent(t, "model")), o)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_, err := f.call(ctx, "x")
		if status.Code(err) == codes.DeadlineExceeded {
			return false
		}
		requireCold(t, err)
		return true
	})
}

func TestTheTimeoutOfAVersionSaysThatANodeWaits(t *testing.T) {
	f := newFixture(t)
	o := coldOptions(t)
	o.Timeout = 500 * time.Millisecond
	f.serve(f.version(silent(t, "model")), o)
	_, err := f.call(t.Context(), "x")
	requireCold(t, err)
}

// Before a node's first pod nothing accepts connections, or what does knows no such node.
func TestANodeThatCannotBeReachedYetIsCold(t *testing.T) {
	for name, step := range map[string]entrypoint.Step{
		"no connection": {Node: "model", URL: "http://127.0.0.1:1"},
		"no route": node(t, "model", func(context.Context, *event.Event) (int, *event.Event) {
			return http.StatusNotFound, nil
		}),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.serve(f.version(step), coldOptions(t))
			_, err := f.call(t.Context(), "x")
			requireCold(t, err)
		})
	}
}

// What another node does is not the cold one's fault.
func TestANodeThatIsNotColdIsLate(t *testing.T) {
	f := newFixture(t)
	o := coldOptions(t)
	o.Timeout = 500 * time.Millisecond
	f.serve(f.version(silent(t, "etl"), silent(t, "model")), o)
	_, err := f.call(t.Context(), "x")
	require.Equal(t, codes.DeadlineExceeded, status.Code(err))
	require.Contains(t, err.Error(), `node "etl" was processing the event`)
}

// A handler's own error stays what it is.
func TestAnErrorOfAHandlerIsNotCold(t *testing.T) {
	f := newFixture(t)
	f.serve(f.version(node(t, "model", func(_ context.Context, in *event.Event) (int, *event.Event) {
		return http.StatusOK, in.Fail(event.Source("test", "v1", "model"), event.Failure{Code: 3, Text: "bad"})
	})), coldOptions(t))
	_, err := f.call(t.Context(), "x")
	require.Equal(t, codes.InvalidArgument, status.Code(err))
}

func TestAnHTTPClientLearnsWhenToTryAgain(t *testing.T) {
	f := newFixture(t)
	o := coldOptions(t)
	o.Timeout = 500 * time.Millisecond
	f.serve(f.version(silent(t, "model")), o)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.web+"/test.Entrypoint/Call", strings.NewReader("{}"))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
	require.Equal(t, "30", response.Header.Get("Retry-After"))
}

// A Sequence does not say which of its nodes is at work.
func TestAWorkflowOfASequenceThatWaitsForANode(t *testing.T) {
	f := newFixture(t)
	o := coldOptions(t)
	o.Timeout = 500 * time.Millisecond
	v := f.version(entrypoint.Step{Node: "etl"}, entrypoint.Step{Node: "model"})
	v.Workflows[0].Address = node(t, "channel", func(context.Context, *event.Event) (int, *event.Event) {
		return http.StatusAccepted, nil
	}).URL
	f.serve(v, o)
	_, err := f.call(t.Context(), "x")
	requireCold(t, err)
}
