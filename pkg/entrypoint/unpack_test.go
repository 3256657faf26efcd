package entrypoint_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"krt.dev/kn-krt/pkg/runner/event"
)

// held is how many bytes the entrypoint counts.
func (f *fixture) held() int64 {
	f.t.Helper()
	_, rest, _ := strings.Cut(f.metrics(), "\nkrt_held_bytes ")
	text, _, _ := strings.Cut(rest, "\n")
	held, err := strconv.ParseFloat(text, 64)
	require.NoError(f.t, err)
	return int64(held)
}

// payload is a request of which n bytes are its payload.
func (f *fixture) payload(n int) []byte {
	m := f.message("test.Request")
	m.Set(m.Descriptor().Fields().ByName("payload"), protoreflect.ValueOfBytes(make([]byte, n)))
	data, err := proto.Marshal(m)
	require.NoError(f.t, err)
	return data
}

// envelope is a message as gRPC-Web sends it.
func envelope(flag byte, message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{flag}, uint32(len(message))), message...)
}

// packedForms are the ways in which the web port takes a compressed message.
func packedForms(packed string) map[string]struct {
	path, body string
	headers    []string
} {
	return map[string]struct {
		path, body string
		headers    []string
	}{
		"Connect": {"/test.Entrypoint/Call", packed, []string{
			"Content-Type", "application/proto", "Connect-Protocol-Version", "1", "Content-Encoding", "gzip",
		}},
		"gRPC-Web": {"/test.Entrypoint/Call", string(envelope(1, []byte(packed))), []string{
			"Content-Type", "application/grpc-web+proto", "Grpc-Encoding", "gzip",
		}},
		"an event": {"/workflows/flow", packed, append(binaryEvent("flow", "application/protobuf"), "Content-Encoding", "gzip")},
	}
}

func TestCompressedMessagesAreTaken(t *testing.T) {
	f := newFixture(t)
	f.serve(f.version(node(t, "a", f.says("a", true))), quick())
	for name, form := range packedForms(string(gzipped(t, string(f.text("test.Request", "hello"))))) {
		t.Run(name, func(t *testing.T) {
			got := f.request(http.MethodPost, f.web+form.path, form.body, form.headers...)
			require.Equal(t, http.StatusOK, got.status, got.body)
			require.Contains(t, got.body, "hello>a")
		})
	}
}

// TestWhatCompressedMessagesBecomeIsCounted: some KiB that become a MiB each fill
// the budget, and no more than that.
func TestWhatCompressedMessagesBecomeIsCounted(t *testing.T) {
	for name := range packedForms("") {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			o := quick()
			o.MaxMessageBytes, o.MaxBytes = 1<<20, 8<<20
			happened, release := make(chan int, 20), make(chan struct{})
			defer close(release)
			f.serve(f.version(node(t, "a", func(_ context.Context, in *event.Event) (int, *event.Event) {
				happened <- 0
				<-release
				return http.StatusOK, in.Next("a", event.TypeMessage, "test.Reply", nil)
			})), o)
			form := packedForms(string(gzipped(t, string(f.payload(1<<20-64)))))[name]
			for range 20 {
				go func() {
					req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.web+form.path, strings.NewReader(form.body))
					if err != nil {
						return
					}
					for i := 0; i < len(form.headers); i += 2 {
						req.Header.Set(form.headers[i], form.headers[i+1])
					}
					res, err := http.DefaultClient.Do(req)
					if err != nil {
						return
					}
					_ = res.Body.Close()
					select {
					case <-release:
					default:
						happened <- res.StatusCode
					}
				}()
			}
			outcomes := map[int]int{}
			for range 20 {
				outcomes[<-happened]++
			}
			require.NotZero(t, outcomes[0], "some are worked on")
			require.LessOrEqual(t, f.held(), o.MaxBytes)
			require.Equal(t, 20, outcomes[0]+outcomes[http.StatusTooManyRequests]+outcomes[http.StatusOK], "%v", outcomes) // gRPC-Web fails in 200
		})
	}
}

// TestBodiesWithoutTheirEndKeepNoTurn: who never ends a large body does not keep
// others from having theirs decoded.
func TestBodiesWithoutTheirEndKeepNoTurn(t *testing.T) {
	f := newFixture(t)
	o := quick()
	o.MaxMessageBytes = 256 << 10
	f.serve(f.version(node(t, "a", f.says("a", true))), o)
	message := f.payload(o.MaxMessageBytes - 8)
	message = append(message, f.payload(o.MaxMessageBytes-len(message)-2)...)
	require.Len(t, message, o.MaxMessageBytes)
	for range runtime.GOMAXPROCS(0) {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(f.web, "http://"))
		require.NoError(t, err)
		defer conn.Close()
		body := envelope(0, message)
		_, err = fmt.Fprintf(conn, "POST /test.Entrypoint/Call HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/grpc-web+proto\r\n"+
			"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(body), body)
		require.NoError(t, err)
	}
	all := int64(runtime.GOMAXPROCS(0) * len(message))
	require.Eventually(t, func() bool { return f.held() >= all }, time.Minute, time.Millisecond, "all but the end has been read")
	ctx, cancel := context.WithTimeout(t.Context(), 45*time.Second) // the others have 60 s
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.web+"/test.Entrypoint/Call",
		strings.NewReader(`{"text":"`+strings.Repeat("x", 2*64<<10)+`"}`))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, res.StatusCode)
}
