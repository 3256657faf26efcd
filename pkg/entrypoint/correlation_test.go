package entrypoint_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"krt.dev/kn-krt/pkg/runner/event"
)

// TestEachResponseHasTheIDOfItsRequest, whether it is inspected or not, but for a success in
// gRPC: a trailer takes a tenth of a short call.
func TestEachResponseHasTheIDOfItsRequest(t *testing.T) {
	const call = "/test.Entrypoint/Call"
	fails := func(_ context.Context, in *event.Event) (int, *event.Event) {
		return http.StatusOK, in.Fail("/krt/test/v1/a", event.Failure{Code: code.Code_INTERNAL, Text: "no"})
	}
	for name, call := range map[string]func(*fixture) string{
		"gRPC": func(f *fixture) string {
			var trailer metadata.MD
			_ = f.conn.Invoke(f.t.Context(), call, f.message("test.Request"), f.message("test.Reply"), grpc.Trailer(&trailer))
			return strings.Join(trailer.Get("krt-correlation-id"), "")
		},
		"JSON": func(f *fixture) string {
			return f.request(http.MethodPost, f.web+call, `{}`, "Content-Type", "application/json").header.Get("Krt-Correlation-Id")
		},
		"a CloudEvent": func(f *fixture) string {
			return f.request(http.MethodPost, f.web+"/workflows/flow", `{}`, binaryEvent("x", "application/json")...).
				header.Get("Krt-Correlation-Id")
		},
	} {
		for outcome, h := range map[string]handle{"failed": fails, "succeeded": nil} {
			t.Run(name+" "+outcome, func(t *testing.T) {
				f := newFixture(t)
				if h == nil {
					h = f.says("a", true)
				}
				c := f.inspecting(f.version(node(t, "a", h)), nil, quick())
				id := call(f)
				if name == "gRPC" && outcome == "succeeded" {
					require.Empty(t, id)
					return
				}
				require.NotEmpty(t, id)
				require.Equal(t, f.kept(c).ID, id)
			})
		}
	}
}

// TestWhoAsksForInspectionHasTheIDAtOnce: also a client that does not wait until the end.
func TestWhoAsksForInspectionHasTheIDAtOnce(t *testing.T) {
	inTime(t, 3*time.Second, func(patience time.Duration) bool {
		f, o := newFixture(t), quick()
		o.Timeout = 2 * time.Minute
		var reached atomic.Bool
		c := f.inspecting(f.version(node(t, "slow", func(ctx context.Context, _ *event.Event) (int, *event.Event) {
			reached.Store(true)
			<-ctx.Done()
			return http.StatusAccepted, nil
		})), nil, o)
		ctx, cancel := context.WithTimeout(asking(t.Context()), patience)
		defer cancel()
		var header metadata.MD
		err := f.conn.Invoke(ctx, "/test.Entrypoint/Call", f.message("test.Request"), f.message("test.Reply"), grpc.Header(&header))
		failed(t, err, codes.DeadlineExceeded)
		if !reached.Load() || len(header) == 0 {
			return false
		}
		r := f.kept(c)
		if r.Code == "CANCELLED" { // the entrypoint began so late that the client's end is not its deadline there
			return false
		}
		require.Equal(t, []string{r.ID}, header.Get("krt-correlation-id"))
		require.Equal(t, []string{"DEADLINE_EXCEEDED", "slow"}, []string{r.Code, r.Node})
		return true
	})
}
