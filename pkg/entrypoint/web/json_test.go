package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/vanguard"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/structpb"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
)

// watched is a response whose client does not read before seen has been called.
type watched struct {
	*httptest.ResponseRecorder
	seen func()
}

// Write implements http.ResponseWriter.
func (w *watched) Write(p []byte) (int, error) {
	w.seen()
	return w.ResponseRecorder.Write(p)
}

// The transcoder holds the JSON of a message while the client does not read it: it is counted, and
// what it was made of is let go.
func TestTheJSONOfAResponseIsCounted(t *testing.T) {
	budget := memory.New(64<<20, new(atomic.Int64), 100)
	handler := transcoding(t, budget, time.Minute, repeats(good))
	text := strings.Repeat("x", 100)
	for kind, body := range map[string]string{
		"application/json":                  `{"text":"` + text + `"}`,
		"application/connect+json":          frame(0, `{"text":"`+text+`"}`),
		"application/grpc-web+json":         frame(0, `{"text":"`+text+`"}`),
		"application/grpc-web+proto":        frame(0, token(text)), // of these the handler counts what is sent as it is
		"application/connect+proto":         frame(0, token(text)),
		"application/x-www-form-urlencoded": `{"text":"` + text + `"}`,
	} {
		most := int64(0)
		w := &watched{httptest.NewRecorder(), func() { most = max(most, budget.Used()) }}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, chat, strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		handler.ServeHTTP(w, r)
		require.Contains(t, w.Body.String(), text, kind)
		if strings.HasSuffix(kind, "proto") {
			require.Zero(t, most, kind)
		} else {
			require.GreaterOrEqual(t, most, int64(len(text)), kind)
		}
		require.Zero(t, budget.Used(), kind)
	}
}

func TestAResponseIsEmptiedWhenItIsJSON(t *testing.T) {
	message := structpb.NewStringValue("long")
	text, err := strictJSON{JSONCodec: &vanguard.JSONCodec{}}.MarshalAppend(nil, message)
	require.NoError(t, err)
	require.Equal(t, `"long"`, string(text))
	require.Nil(t, message.GetKind())
}
