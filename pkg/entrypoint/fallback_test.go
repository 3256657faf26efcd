package entrypoint_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"krt.dev/kn-krt/pkg/entrypoint/authentication"
	"krt.dev/kn-krt/pkg/entrypoint/traffic"
	"krt.dev/kn-krt/pkg/runner/event"
)

// network is the way to a server, which can break.
type network struct {
	net.Listener
	to    string
	mu    sync.Mutex
	conns []net.Conn
}

func newNetwork(t *testing.T, to string) *network {
	n := &network{Listener: listen(t), to: to}
	t.Cleanup(n.tear)
	go func() {
		for {
			c, err := n.Accept()
			if err != nil {
				return
			}
			go n.carry(c)
		}
	}()
	return n
}

func (n *network) carry(from net.Conn) {
	to, err := net.Dial("tcp", n.to)
	if err != nil {
		_ = from.Close()
		return
	}
	n.mu.Lock()
	n.conns = append(n.conns, from, to)
	n.mu.Unlock()
	go func() {
		_, _ = io.Copy(to, from)
		_ = to.Close()
	}()
	_, _ = io.Copy(from, to)
	_ = from.Close()
}

// tear closes all connections, and accepts no more.
func (n *network) tear() {
	_ = n.Close()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.conns {
		_ = c.Close()
	}
}

// full is an address at which connections are neither made nor refused: its queue is full.
func full(t *testing.T) string {
	socket, url := taken(t)
	require.NoError(t, syscall.Listen(int(socket.Fd()), 0))
	address := strings.TrimPrefix(url, "http://")
	for {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return address
		}
		t.Cleanup(func() { _ = c.Close() })
	}
}

func address(f *fixture) string { return strings.TrimPrefix(f.web, "http://") }

// TestThePublishedVersionServesWhatTheCanaryCannot: for clients of all protocols no request fails.
func TestThePublishedVersionServesWhatTheCanaryCannot(t *testing.T) {
	nobody, _ := closed(t)
	hung := full(t)
	unavailable := canary(t, func(_ context.Context, in *event.Event) (int, *event.Event) {
		return http.StatusOK, in.Fail("/krt/test/v2/canary", event.Failure{Code: code.Code_UNAVAILABLE, Text: "the model is being loaded"})
	})
	for name, c := range map[string]*traffic.Canary{
		"refused":     {Version: "v2", GRPC: nobody, Web: nobody, Weight: 100},
		"no name":     {Version: "v2", GRPC: "nothing.invalid:9000", Web: "nothing.invalid:80", Weight: 100},
		"hung":        {Version: "v2", GRPC: hung, Web: hung, Weight: 100},
		"unavailable": unavailable.gives(100),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := published(t, c, quick())
			ctx, cancel := context.WithTimeout(t.Context(), 16*time.Second)
			defer cancel()
			text, err := f.call(ctx, "hi")
			require.NoError(t, err)
			require.Equal(t, "hi>published", text)
			for name, c := range f.clients() {
				got := f.ask(append(c, "Request-Timeout", "16")) // which must leave time for the published version
				require.Equal(t, http.StatusOK, got.status, "%s: %s", name, got.body)
				require.Contains(t, got.body, "published", name)
				require.Empty(t, got.header.Get(traffic.Metadata))
			}
			f.counts(`krt_traffic_fallbacks_total{canary="v2"} 9`)
			f.counts(`krt_traffic_requests_total{canary="v2",code="OK",side="published"} 9`)
			f.counts(`krt_traffic_requests_total{canary="v2",code="OK",side="canary"} 0`)
			f.awaits("krt_held_bytes 0") // soon: the client may have its response before
		})
	}
}

// TestCredentialsThatTheCanaryRefusesAreFallbacks: after its promotion, these clients would be refused.
func TestCredentialsThatTheCanaryRefusesAreFallbacks(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "ada"), []byte("another-"+apiKey), 0o600))
	to, o := newFixture(t), quick()
	to.schema, o.Authentication = annotated(t), authentication.Config{APIKeys: folder}
	v := to.version(node(t, "canary", to.says("canary", true)))
	v.Name = "v2"
	to.serve(v, o)
	o = quick()
	o.Authentication, _ = clients(t)
	f := published(t, to.gives(100), o)
	text, err := f.call(metadata.AppendToOutgoingContext(t.Context(), "x-api-key", apiKey), "hi")
	require.NoError(t, err)
	require.Equal(t, "hi>published", text)
	for name, c := range f.clients() {
		got := f.ask(append(c, "x-api-key", apiKey))
		require.Equal(t, http.StatusOK, got.status, "%s: %s", name, got.body)
		require.Contains(t, got.body, "published", name)
	}
	_, err = f.call(t.Context(), "hi")
	require.Equal(t, codes.Unauthenticated, status.Code(err), "the published version's own refusal")
	f.counts(`krt_traffic_fallbacks_total{canary="v2"} 9`)
	f.counts(`krt_traffic_requests_total{canary="v2",code="OK",side="published"} 9`)
	f.awaits("krt_held_bytes 0") // soon: the client may have its response before
}

// TestACanaryThatDiesLosesNothing: the published version serves requests that were on their way.
func TestACanaryThatDiesLosesNothing(t *testing.T) {
	gated := newFixture(t)
	h, begun, release := gated.gate("canary")
	defer close(release)
	to := canary(t, h)
	toGRPC, toWeb := newNetwork(t, to.grpc), newNetwork(t, address(to))
	c := to.gives(100)
	c.GRPC, c.Web = toGRPC.Addr().String(), toWeb.Addr().String()
	f := published(t, c, quick())
	var all sync.WaitGroup
	all.Go(func() {
		text, err := f.call(t.Context(), "hi")
		require.NoError(t, err)
		require.Equal(t, "hi>published", text)
	})
	clients := f.clients()
	for name, c := range clients {
		all.Go(func() {
			got := f.ask(c)
			require.Equal(t, http.StatusOK, got.status, "%s: %s", name, got.body)
			require.Contains(t, got.body, "published", name)
		})
	}
	for range len(clients) + 1 {
		<-begun
	}
	toGRPC.tear()
	toWeb.tear()
	all.Wait()
	f.counts(`krt_traffic_fallbacks_total{canary="v2"} 9`)
	f.awaits("krt_held_bytes 0") // soon: the client may have its response before
}

// TestAnInspectedCallIsNotServedTwice: its client has the header of the canary's response.
func TestAnInspectedCallIsNotServedTwice(t *testing.T) {
	gated := newFixture(t)
	h, begun, release := gated.gate("canary")
	defer close(release)
	to := canary(t, h)
	way := newNetwork(t, to.grpc)
	c := to.gives(100)
	c.GRPC = way.Addr().String()
	f := published(t, c, quick())
	ctx := metadata.AppendToOutgoingContext(t.Context(), "krt-inspect", "1")
	stream, err := f.conn.NewStream(ctx, &grpc.StreamDesc{}, "/test.Entrypoint/Call")
	require.NoError(t, err)
	require.NoError(t, stream.SendMsg(f.message("test.Request")))
	<-begun
	header, err := stream.Header()
	require.NoError(t, err)
	require.Len(t, header["krt-correlation-id"], 1)
	way.tear()
	require.Equal(t, codes.Unavailable, status.Code(stream.RecvMsg(f.message("test.Reply"))))
	f.counts(`krt_traffic_fallbacks_total{canary="v2"} 0`)
	f.counts(`krt_traffic_requests_total{canary="v2",code="UNAVAILABLE",side="canary"} 1`)
}

// TestACanaryThatHangsHasTheDeadline, in the form of the client's protocol.
func TestACanaryThatHangsHasTheDeadline(t *testing.T) {
	inTime(t, 4*time.Second, func(patience time.Duration) bool { // a quarter of it must do to connect
		gated := newFixture(t)
		h, begun, release := gated.gate("canary")
		defer close(release)
		to := canary(t, h)
		f := published(t, to.gives(100), quick())
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		var failure error
		replies := sync.Map{}
		var all sync.WaitGroup
		all.Go(func() { _, failure = f.call(ctx, "hi") })
		for name, c := range f.clients() {
			all.Go(func() { replies.Store(name, f.ask(append(c, "Request-Timeout", seconds(patience)))) })
		}
		all.Wait()
		if len(begun) < 9 { // the published version has served the others, or their time was over before
			return false
		}
		require.Equal(t, codes.DeadlineExceeded, status.Code(failure), failure)
		for name := range f.clients() {
			kept, _ := replies.Load(name)
			late(t, name, kept.(reply))
		}
		f.awaits(`krt_traffic_requests_total{canary="v2",code="DEADLINE_EXCEEDED",side="canary"} 9`) // gRPC's client has its own clock
		return true
	})
}

// seconds is a time as the value of the header Request-Timeout.
func seconds(d time.Duration) string { return strconv.Itoa(int(d.Seconds())) }

// late requires the response of one of clients that says that a canary did not respond in time.
func late(t *testing.T, name string, got reply) {
	t.Helper()
	if name == "gRPC-Web" {
		require.Equal(t, "4", got.header.Get("Grpc-Status"), name)
		return
	}
	require.Equal(t, http.StatusGatewayTimeout, got.status, "%s: %s", name, got.body)
	require.Contains(t, got.body, "did not respond in time", name)
}

// TestAServerThatNeverRespondsHasTheDeadline: it accepts connections and never responds.
func TestAServerThatNeverRespondsHasTheDeadline(t *testing.T) {
	mute := listen(t)
	defer mute.Close()
	c := &traffic.Canary{Version: "v2", GRPC: mute.Addr().String(), Web: mute.Addr().String(), Weight: 100}
	text, err := published(t, c, quick()).call(t.Context(), "hi")
	require.NoError(t, err, "no connection of HTTP/2 can be made")
	require.Equal(t, "hi>published", text)
	inTime(t, 2*time.Second, func(patience time.Duration) bool { // a quarter of it must do to connect
		f := published(t, c, quick())
		for name, c := range f.clients() {
			got := f.ask(append(c, "Request-Timeout", seconds(patience)))
			if strings.Contains(got.body, "published") {
				return false
			}
			if late(t, name, got); name != "gRPC-Web" {
				break // each takes a second more than its time
			}
		}
		return true
	})
}

// TestAStopWaitsForForwardedRequests, and what has begun goes on when the file changes.
func TestAStopWaitsForForwardedRequests(t *testing.T) {
	gated := newFixture(t)
	h, begun, release := gated.gate("canary")
	end := sync.OnceFunc(func() { close(release) })
	defer end()
	to := canary(t, h)
	f := newFixture(t)
	f.schema = annotated(t)
	v := newVolume(t)
	v.write(to.gives(100))
	o := quick()
	o.Traffic = v.folder
	f.serve(f.version(node(t, "published", f.says("published", true))), o)
	var all sync.WaitGroup
	all.Go(func() {
		text, err := f.call(context.WithoutCancel(t.Context()), "hi")
		require.NoError(t, err)
		require.Equal(t, "hi>canary", text)
	})
	json := f.clients()["JSON"]
	all.Go(func() { require.Contains(t, f.ask(json).body, "hi>canary") })
	<-begun
	<-begun
	v.write(nil)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		text, err := f.call(ctx, "hi")
		require.NoError(c, err)
		require.Equal(c, "hi>published", text)
	}, time.Minute, 50*time.Millisecond)
	require.Contains(t, f.metrics(), `krt_traffic_fallbacks_total{canary="v2"}`, "what was counted last can still be read")
	f.stop()
	end()
	all.Wait()
	require.NoError(t, <-f.done)
}
