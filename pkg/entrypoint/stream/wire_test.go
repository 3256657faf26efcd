package stream_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"krt.dev/kn-krt/pkg/runner/event"
)

// TestEndIsConnects: Connect's own client reads the frames that runners write.
func TestEndIsConnects(t *testing.T) {
	failure := event.Failure{
		Code: code.Code_CANCELLED, Reason: event.ReasonHandlerError, Text: "error in 'output': <größe> \"%\"", Node: "output",
	}
	steps := event.Steps("output;1714979289123456;12;3400;00f067aa0ba902b7;ok")
	for name, end := range map[string]event.End{
		"least": {}, "steps": {Steps: steps}, "next": {Next: true}, "failure": {Failure: failure.Status(), Steps: steps},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				(&event.Event{ID: "1", Source: "/s", Type: event.TypeMessage}).WriteStream(w.Header())
				var body []byte
				for _, text := range []string{"Hello", ""} {
					_, data, _ := event.Encode(wrapperspb.String(text))
					body = event.AppendFrame(body, data)
				}
				_, _ = w.Write(event.AppendEnd(body, end))
			}))
			t.Cleanup(server.Close)
			client := connect.NewClient[emptypb.Empty, wrapperspb.StringValue](server.Client(), server.URL+"/s/m")
			got, err := client.CallServerStream(t.Context(), connect.NewRequest(&emptypb.Empty{}))
			require.NoError(t, err)
			t.Cleanup(func() { _ = got.Close() })
			var texts []string
			for got.Receive() {
				texts = append(texts, got.Msg().GetValue())
			}
			require.Equal(t, []string{"Hello", ""}, texts)
			require.Equal(t, string(end.Steps), got.ResponseTrailer().Get("krtsteps"))
			require.Equal(t, end.Next, got.ResponseTrailer().Get("krtnext") == "1")
			if end.Failure == nil {
				require.NoError(t, got.Err())
				return
			}
			var failed *connect.Error
			require.True(t, errors.As(got.Err(), &failed), got.Err())
			require.Equal(t, connect.CodeCanceled, failed.Code())
			require.Equal(t, failure.Text, failed.Message())
			require.Len(t, failed.Details(), 1)
			info, err := failed.Details()[0].Value()
			require.NoError(t, err)
			require.Equal(t, "output", info.(*errdetails.ErrorInfo).GetMetadata()["node"])
		})
	}
}
