package web

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
)

// A client of an rpc gets the form of its protocol, also where the service has a name that its path does not tell by.
func TestRefusalsHaveTheFormOfTheProtocol(t *testing.T) {
	for name, c := range map[string]struct {
		path, kind, version string
		status              int
		wants               string
	}{
		"grpc":             {"/test.entry/Say", "application/grpc", "", 200, ""},
		"grpc-web":         {"/test.entry/Say", "application/grpc-web+proto", "", 200, ""},
		"Connect, stream":  {"/test.entry/Say", "application/connect+json", "1", 200, `"code":"unauthenticated"`},
		"Connect":          {"/test.entry/Say", "application/json", "1", 401, `"code":"unauthenticated"`},
		"path of an rpc":   {"/test.Entry/Say", "application/json", "", 401, `"code":"unauthenticated"`},
		"another path":     {"/v1/say", "application/json", "", 401, `"code":16`},
		"path of an event": {"/workflows/say", "application/cloudevents+json", "", 401, `"code":16`},
	} {
		t.Run(name, func(t *testing.T) {
			r, w := httptest.NewRequestWithContext(t.Context(), http.MethodPost, c.path, nil), httptest.NewRecorder()
			r.Header.Set("Content-Type", c.kind)
			if c.version != "" {
				r.Header.Set("Connect-Protocol-Version", c.version)
			}
			again, err := anypb.New(&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)})
			require.NoError(t, err)
			Refuse(w, r, &spb.Status{Code: int32(code.Code_UNAUTHENTICATED), Message: "who are you", Details: []*anypb.Any{again}})
			response := w.Result()
			defer func() { _ = response.Body.Close() }()
			require.LessOrEqual(t, len(response.Header.Values(headerRetryAfter)), 1)
			require.True(t, c.status == http.StatusOK || response.Header.Get(headerRetryAfter) == "1")
			require.Equal(t, c.status, response.StatusCode)
			if c.wants == "" {
				require.Equal(t, "16", response.Header.Get("Grpc-Status")+response.Trailer.Get("Grpc-Status"))
				return
			}
			require.Contains(t, w.Body.String(), c.wants)
		})
	}
}
