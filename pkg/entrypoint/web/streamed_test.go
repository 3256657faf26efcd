package web

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/dynamicpb"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/schema"
)

const chat = "/test.Bot/Chat"

// frame is a frame of Connect's streaming protocol, and of gRPC-Web's.
func frame(flags byte, payload string) string {
	return string(binary.BigEndian.AppendUint32([]byte{flags}, uint32(len(payload)))) + payload
}

// token is the message Token with a text shorter than 128 bytes.
func token(text string) string { return "\x0a" + string(rune(len(text))) + text }

// serving serves a contract with a streaming rpc by handle, which gets the message of the request,
// and writes frames.
func serving(t *testing.T, ping time.Duration, handle func(w http.ResponseWriter, message string)) *httptest.Server {
	t.Helper()
	budget := memory.New(64<<20, new(atomic.Int64), 100)
	server := httptest.NewServer(Count(budget, 10_000, transcoding(t, budget, ping, handle)))
	t.Cleanup(server.Close)
	t.Cleanup(func() { require.Zero(t, budget.Used(), "all is given back") })
	return server
}

// transcoding is what serving serves.
func transcoding(t *testing.T, budget *memory.Budget, ping time.Duration, handle func(http.ResponseWriter, string)) http.Handler {
	t.Helper()
	s, err := schema.Compile(t.Context(), fstest.MapFS{"p.proto": {Data: []byte(`syntax = "proto3";
package test;
message Prompt { string text = 1; }
message Token { string text = 1; }
service Bot { rpc Chat(Prompt) returns (stream Token); }
`)}}, "p.proto", schema.Options{})
	require.NoError(t, err)
	handler, err := NewDecoding(1000).NewTranscoder(Transcoder{
		Schema: s, JSON: NewJSON(dynamicpb.NewTypes(s.Registry()), budget, 1<<20), Logger: slog.New(slog.DiscardHandler), Ping: ping,
		NotFound: http.NotFound,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			TranscodingOf(r.Context()).Decoded()
			w.Header().Set("Content-Type", "application/connect+proto")
			switch {
			case err != nil:
				_, _ = io.WriteString(w, frame(2, `{"error":{"code":"resource_exhausted","message":"too large"}}`))
			case TranscodingOf(r.Context()).Refusal() == nil:
				require.Equal(t, frame(0, string(body[5:])), string(body))
				w.WriteHeader(http.StatusOK)
				handle(w, string(body[5:]))
			}
		}),
	})
	require.NoError(t, err)
	return handler
}

// ask posts a body with headers given as name, value pairs.
func ask(t *testing.T, server *httptest.Server, body string, headers ...string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+chat, strings.NewReader(body))
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := server.Client().Do(request)
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

func all(t *testing.T, response *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(body)
}

// repeats writes the message of the request as two tokens, and the given end.
func repeats(end string) func(http.ResponseWriter, string) {
	return func(w http.ResponseWriter, message string) {
		for range 2 {
			_, _ = io.WriteString(w, frame(0, message))
		}
		_, _ = io.WriteString(w, frame(2, end))
	}
}

const (
	good   = `{}`
	failed = `{"error":{"code":"internal","message":"error in 'a': boom"}}`
)

func TestStreamsInEachProtocol(t *testing.T) {
	hi := token("hi")
	var zipped bytes.Buffer
	g := gzip.NewWriter(&zipped)
	_, _ = io.WriteString(g, hi)
	require.NoError(t, g.Close())
	for name, c := range map[string]struct {
		body, kind string
		headers    []string
		good, bad  string // end of the response
	}{
		"events": {`{"text":"hi"}`, "text/event-stream", []string{"Accept", "text/event-stream"},
			"id: 1\ndata: {\"text\":\"hi\"}\n\nid: 2\ndata: {\"text\":\"hi\"}\n\nevent: end\ndata: {\"messages\":2}\n\n",
			"event: error\ndata: {\"code\":\"internal\",\"message\":\"error in 'a': boom\"}\n\n"},
		"one of several types": {`{"text":"hi"}`, "text/event-stream", []string{"Accept", "text/plain, text/event-stream;q=0.9"},
			"event: end\ndata: {\"messages\":2}\n\n", "boom\"}\n\n"},
		"lines": {`{"text":"hi"}`, "application/x-ndjson", []string{"Accept", "application/json"},
			"{\"text\":\"hi\"}\n{\"text\":\"hi\"}\n", "{\"error\":{\"code\":\"internal\",\"message\":\"error in 'a': boom\"}}\n"},
		"as curl -d sends": {`{"text":"hi"}`, "application/x-ndjson", []string{"Content-Type", "application/x-www-form-urlencoded"},
			"{\"text\":\"hi\"}\n", "}}\n"},
		"Connect": {frame(0, hi), "application/connect+proto", []string{"Content-Type", "application/connect+proto"},
			frame(0, hi) + frame(0, hi) + frame(2, good), frame(2, failed)},
		"Connect, gzip": {frame(1, zipped.String()), "application/connect+proto",
			[]string{"Content-Type", "application/connect+proto", "Connect-Content-Encoding", "gzip"},
			frame(0, hi) + frame(0, hi) + frame(2, good), frame(2, failed)},
		"Connect, JSON": {frame(0, `{"text":"hi"}`), "application/connect+json", []string{"Content-Type", "application/connect+json"},
			frame(0, `{"text":"hi"}`) + frame(2, "{}\n"), frame(2, failed+"\n")},
		"gRPC-Web": {frame(0, hi), "application/grpc-web+proto", []string{"Content-Type", "application/grpc-web+proto"},
			frame(0, hi) + frame(0x80, "Grpc-Message: \r\nGrpc-Status: 0\r\n"),
			frame(0x80, "Grpc-Message: error in 'a': boom\r\nGrpc-Status: 13\r\n")},
	} {
		t.Run(name, func(t *testing.T) {
			response := ask(t, serving(t, 0, repeats(good)), c.body, c.headers...)
			require.Equal(t, http.StatusOK, response.StatusCode)
			require.Equal(t, c.kind, response.Header.Get("Content-Type"))
			body := all(t, response)
			require.True(t, strings.HasSuffix(body, c.good), "%q", body)
			body = all(t, ask(t, serving(t, 0, repeats(failed)), c.body, c.headers...))
			require.True(t, strings.HasSuffix(body, c.bad), "%q", body)
		})
	}
}

func TestAnEmptyStream(t *testing.T) {
	server := serving(t, 0, func(w http.ResponseWriter, message string) {
		require.Empty(t, message, "an empty body is an empty message")
		_, _ = io.WriteString(w, frame(2, good))
	})
	require.Empty(t, all(t, ask(t, server, "")))
	require.Equal(t, "event: end\ndata: {\"messages\":0}\n\n", all(t, ask(t, server, "", "Accept", "text/event-stream")))
}

func TestAnErrorBeforeTheFirstMessageHasAStatus(t *testing.T) {
	server := serving(t, 0, func(w http.ResponseWriter, _ string) {
		_, _ = io.WriteString(w, frame(2, `{"error":{"code":"not_found","message":"no"}}`))
	})
	for name, c := range map[string]struct {
		body, want string
		status     int
	}{
		"of the workflow": {`{}`, `{"code":"not_found","message":"no"}`, http.StatusNotFound},
		"a bad field":     {`{"txet":1}`, `"code":"invalid_argument"`, http.StatusBadRequest},
		"too large":       {`{"text":"` + strings.Repeat("x", 2000) + `"}`, `"code":"resource_exhausted"`, http.StatusRequestEntityTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			for _, accept := range []string{"text/event-stream", "application/json"} {
				response := ask(t, server, c.body, "Accept", accept)
				require.Equal(t, c.status, response.StatusCode)
				require.Equal(t, "application/json", response.Header.Get("Content-Type"))
				require.Contains(t, all(t, response), c.want)
			}
		})
	}
}

// A ping begins the response: an error after it is an event.
func TestPingsWhileNothingComes(t *testing.T) {
	read := make(chan struct{})
	server := serving(t, time.Millisecond, func(w http.ResponseWriter, message string) {
		<-read
		_, _ = io.WriteString(w, frame(0, message))
		<-read
		w.Header().Set(http.TrailerPrefix+"Result", "INTERNAL") // a ping does not see it half written
		_, _ = io.WriteString(w, frame(2, failed))
	})
	response := ask(t, server, `{"text":"hi"}`, "Accept", "text/event-stream")
	require.Equal(t, "no-store", response.Header.Get("Cache-Control"))
	await := reader(t, response)
	await(": ping")
	read <- struct{}{}
	await(`data: {"text":"hi"}`)
	await(": ping")
	read <- struct{}{}
	await("event: error")
	_, err := io.Copy(io.Discard, response.Body)
	require.NoError(t, err)
	require.Equal(t, "INTERNAL", response.Trailer.Get("Result"))
}

// timed is a response that knows until when it may be written.
type timed struct {
	*httptest.ResponseRecorder
	until time.Time
}

func (d *timed) SetWriteDeadline(at time.Time) error {
	d.until = at
	return nil
}

// A ping that comes while a message is about to be written does not end its deadline.
func TestAMessageBehindAPingHasADeadline(t *testing.T) {
	w := &timed{ResponseRecorder: httptest.NewRecorder()}
	s := newStreamed(w, http.Header{"Accept": {eventStream}}, time.Hour)
	defer s.close()
	s.Header().Set("Content-Type", connectJSON)
	s.WriteHeader(http.StatusOK)
	require.NoError(t, w.SetWriteDeadline(time.Now().Add(ResponseTime))) // of the message
	s.comment()
	require.Zero(t, w.until)
	_, err := io.WriteString(s, frame(0, "{}"))
	require.NoError(t, err)
	require.False(t, w.until.IsZero())
	require.Equal(t, ": ping\n\nid: 1\ndata: {}\n\n", w.Body.String())
}

// reader returns what reads a response up to a line.
func reader(t *testing.T, response *http.Response) (await func(line string)) {
	lines := bufio.NewScanner(response.Body)
	return func(line string) {
		for lines.Scan() {
			if lines.Text() == line {
				return
			}
		}
		t.Fatalf("there is no line %q: %v", line, lines.Err())
	}
}

// Messages come as they are sent, and frames in whatever parts.
func TestAMessageComesAtOnce(t *testing.T) {
	for accept, begins := range map[string]string{"text/event-stream": "data: ", "application/json": ""} {
		read := make(chan struct{})
		server := serving(t, 0, func(w http.ResponseWriter, message string) {
			for _, b := range []byte(frame(0, message)) {
				_, _ = w.Write([]byte{b})
			}
			<-read
			_, _ = io.WriteString(w, frame(0, message)+frame(2, good))
		})
		await := reader(t, ask(t, server, `{"text":"hi"}`, "Accept", accept))
		await(begins + `{"text":"hi"}`)
		close(read)
		await(begins + `{"text":"hi"}`)
	}
}

// slow is a client that reads nothing before it is told to.
type slow struct {
	*httptest.ResponseRecorder

	begun, goOn chan struct{}
	once        sync.Once
}

func (s *slow) Write(p []byte) (int, error) {
	s.once.Do(func() { close(s.begun) })
	<-s.goOn
	return s.ResponseRecorder.Write(p)
}

func (s *slow) SetWriteDeadline(time.Time) error { return nil }

// A ping may wait for the client when a message has been written: one of both uses the connection at a time.
func TestWhatIsWrittenIsSentAfterAPing(t *testing.T) {
	w := &slow{ResponseRecorder: httptest.NewRecorder(), begun: make(chan struct{}), goOn: make(chan struct{})}
	s := newStreamed(w, http.Header{"Accept": {eventStream}}, time.Millisecond)
	defer s.close()
	s.Header().Set("Content-Type", connectJSON)
	s.WriteHeader(http.StatusOK)
	<-w.begun
	sent := make(chan error, 1)
	go func() { sent <- (&Transcoding{to: w, pinged: s}).Sent() }()
	select {
	case err := <-sent:
		t.Fatal("while a ping is being written", err)
	case <-time.After(20 * time.Millisecond):
	}
	close(w.goOn)
	require.NoError(t, <-sent)
}
