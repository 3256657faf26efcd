package entrypoint_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"

	"krt.dev/kn-krt/pkg/runner/event"
)

const tokensPath = "/test.Entrypoint/Tokens"

// framed is a frame of Connect's and gRPC-Web's streams.
func framed(flags byte, payload string) string {
	return string(binary.BigEndian.AppendUint32([]byte{flags}, uint32(len(payload)))) + payload
}

// steady is a response in which JSON has no space after a comma: protobuf-go adds one in some
// builds, on purpose.
func steady(body string, frames bool) string {
	if !frames {
		return strings.ReplaceAll(body, `", "`, `","`)
	}
	var out strings.Builder
	for len(body) > 5 {
		size := 5 + int(binary.BigEndian.Uint32([]byte(body[1:5])))
		out.WriteString(framed(body[0], steady(body[5:size], false)))
		body = body[size:]
	}
	return out.String()
}

// countsUp sends as many messages as the text of the request has bytes, "1", "2" and so on, and then
// fails with the reason "boom" if the first byte is an f.
func (f *fixture) countsUp(_ context.Context, in *event.Event, send func(string) bool) event.End {
	text := f.textOf(in.Data)
	for i := range len(text) {
		send(fmt.Sprint(i + 1))
	}
	if strings.HasPrefix(text, "f") {
		return event.End{Failure: event.Failure{Code: code.Code_NOT_FOUND, Reason: event.ReasonHandlerError,
			Text: "error in 'a': boom", Node: "a"}.Status()}
	}
	return event.End{}
}

func TestStreamsOnTheWebPort(t *testing.T) {
	f := newFixture(t)
	f.serve(f.streaming(f.streams("a", f.countsUp)), quick())
	message := func(i int) string { return fmt.Sprintf(`{"text":"%d","payload":""}`, i) }
	input := func(json bool, text string) string {
		if json {
			return fmt.Sprintf(`{"text":%q}`, text)
		}
		return string(f.text("test.Request", text))
	}
	for name, c := range map[string]struct {
		path     string
		json     bool
		headers  []string
		envelops bool
		each     func(i int) string
		good     string
	}{
		"events": {tokensPath, true, []string{"Accept", "text/event-stream"}, false,
			func(i int) string { return fmt.Sprintf("id: %d\ndata: %s\n\n", i, message(i)) },
			"event: end\ndata: {\"messages\":100}\n\n"},
		"events of a workflow": {"/workflows/flow", true, []string{"Accept", "text/event-stream"}, false,
			func(i int) string { return fmt.Sprintf("id: %d\ndata: %s\n\n", i, message(i)) },
			"event: end\ndata: {\"messages\":100}\n\n"},
		"lines": {tokensPath, true, nil, false, func(i int) string { return message(i) + "\n" }, ""},
		"Connect": {tokensPath, false, []string{"Content-Type", "application/connect+proto"}, true,
			func(i int) string { return framed(0, string(f.text("test.Reply", fmt.Sprint(i)))) }, framed(2, "{}")},
		"Connect, JSON": {tokensPath, true, []string{"Content-Type", "application/connect+json"}, true,
			func(i int) string { return framed(0, message(i)) }, framed(2, "{}\n")},
		"gRPC-Web": {tokensPath, false, []string{"Content-Type", "application/grpc-web+proto"}, true,
			func(i int) string { return framed(0, string(f.text("test.Reply", fmt.Sprint(i)))) },
			framed(0x80, "Grpc-Message: \r\nGrpc-Status: 0\r\n")},
	} {
		t.Run(name, func(t *testing.T) {
			ask := func(text string) reply {
				body := input(c.json, text)
				if c.envelops {
					body = framed(0, body)
				}
				return f.request(http.MethodPost, f.web+c.path, body, c.headers...)
			}
			var want strings.Builder
			for i := range 100 {
				want.WriteString(c.each(i + 1))
			}
			got := ask(strings.Repeat("x", 100))
			require.Equal(t, http.StatusOK, got.status, got.body)
			require.Equal(t, want.String()+c.good, steady(got.body, c.envelops))
			require.NotEmpty(t, got.header.Get("Krt-Correlation-Id"))
			require.Equal(t, "no", got.header.Get("X-Accel-Buffering"))
			got = ask("fff")
			require.Equal(t, http.StatusOK, got.status, got.body)
			require.Contains(t, steady(got.body, c.envelops), c.each(3))
			require.Contains(t, got.body, "error in 'a': boom")
		})
	}
	f.awaitNothing(t)
}

func TestErrorBeforeTheFirstMessage(t *testing.T) {
	f := newFixture(t)
	o := quick()
	o.MaxMessageBytes = 2000
	f.serve(f.streaming(f.streams("a", func(context.Context, *event.Event, func(string) bool) event.End {
		return event.End{Failure: event.Failure{Code: code.Code_NOT_FOUND, Reason: event.ReasonHandlerError, Text: "no", Node: "a"}.Status()}
	})), o)
	for name, c := range map[string]struct {
		body, want string
		status     int
	}{
		"of the node": {`{}`, `"code":"not_found","message":"no"`, http.StatusNotFound},
		"a bad field": {`{"txet":1}`, `"code":"invalid_argument"`, http.StatusBadRequest},
		"too large":   {`{"text":"` + strings.Repeat("x", 4000) + `"}`, `"code":"resource_exhausted"`, http.StatusRequestEntityTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			for _, accept := range []string{"text/event-stream", "application/json"} {
				for _, path := range []string{tokensPath, "/workflows/flow"} {
					got := f.request(http.MethodPost, f.web+path, c.body, "Accept", accept)
					require.Equal(t, c.status, got.status, got.body)
					require.Equal(t, "application/json", got.header.Get("Content-Type"))
					require.Contains(t, got.body, c.want)
				}
			}
		})
	}
	for name, c := range map[string]struct{ body, want string }{
		"no message":   {"", "requires a test.Request"},
		"two messages": {framed(0, "") + framed(0, ""), "takes one message"},
		"a short one":  {framed(0, "xx")[:6], "ended early"},
		"half a frame": {"\x00\x00", "ended early"},
		"compressed":   {framed(1, ""), "the flags 1"},
		"an end":       {framed(2, "{}"), "the flags 2"},
	} {
		t.Run(name, func(t *testing.T) {
			got := f.request(http.MethodPost, f.web+tokensPath, c.body, "Content-Type", "application/connect+proto")
			require.Contains(t, got.body, "invalid_argument")
			require.Contains(t, got.body, c.want)
		})
	}
	got := f.request(http.MethodPost, f.web+tokensPath, "{}", "Content-Type", "application/json", "Connect-Protocol-Version", "1")
	require.Equal(t, http.StatusUnsupportedMediaType, got.status, "Connect's unary protocol")
	f.awaitNothing(t)
}

func TestEventsAreRefused(t *testing.T) {
	f := newFixture(t)
	f.serve(f.streaming(f.streams("a", f.countsUp)), quick())
	structured := `{"specversion":"1.0","id":"7","source":"/me","type":"flow","datacontenttype":"application/json","data":{}}`
	for name, c := range map[string]struct {
		path, body string
		headers    []string
	}{
		"binary":            {"/workflows/flow", `{}`, binaryEvent("flow", "application/json")},
		"by its type":       {"/", `{}`, binaryEvent("flow", "application/json")},
		"structured":        {"/workflows/flow", structured, []string{"Content-Type", "application/cloudevents+json"}},
		"asynchronous":      {"/workflows/flow", `{}`, []string{"Content-Type", "application/json", "Prefer", "respond-async"}},
		"asynchronous, too": {"/workflows/flow", `{}`, append(binaryEvent("flow", "application/json"), "Prefer", "respond-async")},
	} {
		t.Run(name, func(t *testing.T) {
			got := f.request(http.MethodPost, f.web+c.path, c.body, c.headers...)
			require.Equal(t, http.StatusNotAcceptable, got.status, got.body)
			require.Contains(t, got.body, "POST /test.Entrypoint/Tokens or /workflows/flow, with Accept: text/event-stream")
		})
	}
	f.awaitNothing(t)
}

// A client that leaves ends the node's work, and one that does not read holds the node.
func TestAWebClientLeaves(t *testing.T) {
	f := newFixture(t)
	sent, ended := make(chan struct{}, 1), make(chan struct{})
	f.serve(f.streaming(f.streams("a", func(ctx context.Context, _ *event.Event, send func(string) bool) event.End {
		for send(strings.Repeat("x", 64<<10)) {
			select {
			case sent <- struct{}{}:
			default:
			}
		}
		<-ctx.Done()
		close(ended)
		return event.End{}
	})), quick())
	ctx, leave := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, f.web+tokensPath, strings.NewReader("{}"))
	require.NoError(t, err)
	request.Header.Set("Accept", "text/event-stream")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	lines := bufio.NewReader(response.Body)
	line, err := lines.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "id: 1\n", line)
	<-sent
	leave()
	<-ended
	f.awaitNothing(t)
}

// What a client does not read in time is cut, and is never an end.
func TestAWebClientThatDoesNotReadIsCut(t *testing.T) {
	t.Parallel()
	inTime(t, 2*time.Second, func(patience time.Duration) bool {
		f := newFixture(t)
		o := quick()
		o.Timeout, o.StreamTimeout = patience, patience
		f.serve(f.streaming(f.streams("a", func(ctx context.Context, _ *event.Event, send func(string) bool) event.End {
			for send(strings.Repeat("x", 64<<10)) && ctx.Err() == nil {
				continue
			}
			return event.End{}
		})), o)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.web+tokensPath, strings.NewReader("{}"))
		require.NoError(t, err)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		defer response.Body.Close()
		if response.StatusCode == http.StatusGatewayTimeout { // no message has come in time
			return false
		}
		f.awaitNothing(t)
		got, err := io.ReadAll(response.Body)
		if err == nil { // the end has come while nothing was being sent
			lines := strings.Split(strings.TrimSuffix(string(got), "\n"), "\n")
			require.Contains(t, lines[len(lines)-1], `{"error":{"code":"deadline_exceeded"`)
		}
		return true
	})
}

// A connection of HTTP/2 that is too old is left by new requests; what is on it goes on.
func TestAWebStreamOutlivesItsConnectionsAge(t *testing.T) {
	f := newFixture(t)
	read := make(chan struct{})
	o := quick()
	o.ConnectionAge = time.Nanosecond
	f.serve(f.streaming(f.streams("a", func(_ context.Context, _ *event.Event, send func(string) bool) event.End {
		for range 3 {
			send("x")
			<-read
		}
		return event.End{}
	})), o)
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	client := http.Client{Transport: &http.Transport{Protocols: protocols}}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.web+tokensPath, strings.NewReader("{}"))
	require.NoError(t, err)
	request.Header.Set("Accept", "text/event-stream")
	response, err := client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, 2, response.ProtoMajor)
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "id: ") {
			read <- struct{}{}
		}
		if lines.Text() == "event: end" {
			return
		}
	}
	t.Fatal(lines.Err())
}
