package entrypoint_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
	"knative.dev/pkg/network/handlers"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/runner/event"
)

// names is a DNS server, which all lookups of this program ask.
var names = newNames()

type nameServer struct {
	mu        sync.Mutex
	addresses map[string][]netip.Addr
	socket    *net.UDPConn
}

func newNames() *nameServer {
	socket, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		panic(err)
	}
	s := &nameServer{addresses: map[string][]netip.Addr{}, socket: socket}
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", socket.LocalAddr().String())
	}}
	go s.serve()
	return s
}

func (s *nameServer) set(name string, addresses ...netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addresses[name] = addresses
}

func (s *nameServer) serve() {
	buffer := make([]byte, 1500)
	for {
		n, from, err := s.socket.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return
		}
		if response := s.answer(buffer[:n]); response != nil {
			_, _ = s.socket.WriteToUDPAddrPort(response, from)
		}
	}
}

func (s *nameServer) answer(query []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := m.Questions[0]
	m.Response, m.Additionals = true, nil
	if s.addresses[asked.Name.String()] == nil {
		m.RCode = dnsmessage.RCodeNameError
	}
	for _, a := range s.addresses[asked.Name.String()] {
		if asked.Type == dnsmessage.TypeA {
			m.Answers = append(m.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: asked.Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET},
				Body:   &dnsmessage.AResource{A: a.As4()},
			})
		}
	}
	response, err := m.Pack()
	if err != nil {
		return nil
	}
	return response
}

// fleet is the pods of a node, each with an address of its own on loopback, in front of each the handler
// that is the first of queue-proxy's.
type fleet struct {
	*fixture
	name string
	port string
	up   []*member
	ran  atomic.Int64 // handlers of pods and of the Knative Service
}

type member struct {
	ip      netip.Addr
	server  *http.Server
	drainer *handlers.Drainer
	ran     atomic.Int64
}

// newFleet serves a node without pods, whose Knative Service responds too.
func newFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{fixture: newFixture(t), name: strings.ToLower(t.Name()) + ".test."}
	first := listen(t)
	_, f.port, _ = net.SplitHostPort(first.Addr().String())
	t.Cleanup(func() { _ = first.Close() }) // keeps the port
	usual := node(t, "a", f.counts("usual", &f.ran))
	f.serve(f.version(entrypoint.Step{Node: "a", URL: usual.URL, Pods: "http://" + f.name + ":" + f.port}), quick())
	t.Cleanup(func() {
		for _, m := range f.up {
			_ = m.server.Close()
		}
	})
	return f
}

func (f *fleet) counts(name string, runs ...*atomic.Int64) handle {
	says := f.says(name, true)
	return func(ctx context.Context, in *event.Event) (int, *event.Event) {
		for _, n := range runs {
			n.Add(1)
		}
		return says(ctx, in)
	}
}

// start starts a pod.
func (f *fleet) start() *member {
	f.t.Helper()
	return f.startAt("a", netip.AddrFrom4([4]byte{127, 0, 1, byte(len(f.up) + 1)}))
}

// startAt starts a pod of any node.
func (f *fleet) startAt(node string, ip netip.Addr) *member {
	f.t.Helper()
	m := &member{ip: ip}
	l, err := new(net.ListenConfig).Listen(f.t.Context(), "tcp", net.JoinHostPort(m.ip.String(), f.port))
	require.NoError(f.t, err)
	m.drainer = &handlers.Drainer{QuietPeriod: 50 * time.Millisecond, Inner: named(node, f.counts(m.ip.String(), &m.ran, &f.ran))}
	m.server = &http.Server{Handler: m.drainer, ReadHeaderTimeout: time.Minute}
	go func() { _ = m.server.Serve(l) }()
	f.up = append(f.up, m)
	return m
}

// publish has DNS name these pods.
func (f *fleet) publish(members ...*member) {
	var ips []netip.Addr
	for _, m := range members {
		ips = append(ips, m.ip)
	}
	names.set(f.name, ips...)
}

// end ends a pod as Kubernetes and queue-proxy do.
func (m *member) end(t *testing.T) {
	t.Helper()
	m.drainer.Drain()
	require.NoError(t, m.server.Shutdown(t.Context()))
}

// load calls the version until it is stopped, and counts.
type podLoad struct {
	stop  context.CancelFunc
	wg    sync.WaitGroup
	calls atomic.Int64
}

func (f *fleet) load(callers int) *podLoad {
	ctx, stop := context.WithCancel(f.t.Context())
	l := &podLoad{stop: stop}
	for range callers {
		l.wg.Go(func() {
			for ctx.Err() == nil {
				got, err := f.call(f.t.Context(), "x")
				l.calls.Add(1)
				if err != nil || !strings.HasPrefix(got, "x>") {
					f.t.Errorf("call %d: %q, %v", l.calls.Load(), got, err)
				}
			}
		})
	}
	f.t.Cleanup(l.end)
	return l
}

func (l *podLoad) end() {
	l.stop()
	l.wg.Wait()
}

// busy waits until each of these pods has had more requests.
func (f *fleet) busy(members ...*member) {
	f.t.Helper()
	for _, m := range members {
		before := m.ran.Load()
		require.Eventually(f.t, func() bool { return m.ran.Load() > before+10 }, time.Minute, 10*time.Millisecond, m.ip)
	}
}

// idle waits until a pod has had none of the last hundred requests.
func (l *podLoad) idle(t *testing.T, m *member) {
	t.Helper()
	ran, calls := m.ran.Load(), l.calls.Load()
	require.Eventually(t, func() bool {
		if now := m.ran.Load(); now != ran {
			ran, calls = now, l.calls.Load()
		}
		return l.calls.Load() > calls+100
	}, time.Minute, 10*time.Millisecond)
}

func TestNoRequestIsLostWhilePodsComeAndGo(t *testing.T) {
	f := newFleet(t)
	l := f.load(16)
	first := f.start()
	f.publish(first)
	f.busy(first)
	more := []*member{f.start(), f.start(), f.start()}
	f.publish(append(more, first)...)
	f.busy(more...)
	// Two end once DNS does not name them, and one before.
	f.publish(first, more[2])
	l.idle(t, more[0])
	l.idle(t, more[1])
	more[0].end(t)
	more[1].end(t)
	more[2].end(t)
	f.publish(first)
	f.busy(first)
	// Then there is none; and one again.
	f.publish()
	first.end(t)
	before, ran := f.ran.Load(), first.ran.Load()
	require.Eventually(t, func() bool { return f.ran.Load() > before+100 }, time.Minute, 10*time.Millisecond)
	require.Equal(t, ran, first.ran.Load())
	last := f.start()
	f.publish(last)
	f.busy(last)
	l.end()
	require.Equal(t, l.calls.Load(), f.ran.Load(), "no handler has run twice for a request")
	t.Log(l.calls.Load(), "requests")
}

// A pod that is killed breaks what it is at: that is sent again, as any other way. DNS names it on.
func TestNoRequestIsLostWhenPodsAreKilled(t *testing.T) {
	f := newFleet(t)
	l := f.load(16)
	members := []*member{f.start(), f.start(), f.start()}
	f.publish(members...)
	f.busy(members...)
	for i, m := range members {
		require.NoError(t, m.server.Close())
		f.busy(members[i+1:]...)
	}
	before := f.ran.Load()
	require.Eventually(t, func() bool { return f.ran.Load() > before+100 }, time.Minute, 10*time.Millisecond)
	l.end()
	t.Log(l.calls.Load(), "requests,", f.ran.Load()-l.calls.Load(), "runs more")
}

// The address of a pod that was killed is another node's at once, whose queue-proxy accepts requests too, and DNS names
// it on.
func TestAPodThatHasTheAddressOfAnotherGetsNoRequest(t *testing.T) {
	f := newFleet(t)
	l := f.load(16)
	killed, stays := f.start(), f.start()
	f.publish(killed, stays)
	f.busy(killed, stays)
	require.NoError(t, killed.server.Close())
	other := f.startAt("b", killed.ip)
	f.busy(stays)
	f.publish(other)
	before := f.ran.Load()
	require.Eventually(t, func() bool { return f.ran.Load() > before+100 }, time.Minute, 10*time.Millisecond)
	l.end()
	require.Zero(t, other.ran.Load())
}

// A pod of which the queue is full does not say who it is. What is meant for it waits in front of the Knative Service.
func TestAPodThatIsTooBusyToSayWhoItIsLeavesRequestsToOthers(t *testing.T) {
	f := newFleet(t)
	m := f.start()
	var asked atomic.Int64
	m.drainer.Inner = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		http.Error(w, "pending request queue full", http.StatusServiceUnavailable)
	})
	f.publish(m)
	require.Eventually(t, func() bool {
		got, err := f.call(t.Context(), "x")
		require.NoError(t, err)
		require.Equal(t, "x>usual", got)
		return asked.Load() > 2
	}, time.Minute, time.Millisecond)
	require.Zero(t, m.ran.Load())
}

// A pod that has much to do gets fewer requests.
func TestAPodThatIsBusyGetsFewerRequests(t *testing.T) {
	f := newFleet(t)
	slow, fast := f.start(), f.start()
	const callers = 8
	held, release := new(atomic.Bool), make(chan struct{})
	says := slow.drainer.Inner
	slow.drainer.Inner = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" && held.Load() {
			<-release
		}
		says.ServeHTTP(w, r)
	})
	f.publish(slow, fast)
	l := f.load(callers)
	f.busy(slow, fast) // both are known
	held.Store(true)
	ran, before := slow.ran.Load(), fast.ran.Load()
	require.Eventually(t, func() bool { return fast.ran.Load() > before+50 }, time.Minute, 10*time.Millisecond)
	require.LessOrEqual(t, slow.ran.Load()-ran, int64(callers), "those that it had begun with")
	close(release)
	f.busy(slow, fast)
	l.end()
}

func TestThePodsNeedAHost(t *testing.T) {
	f := newFixture(t)
	_, err := entrypoint.New(f.version(entrypoint.Step{Node: "a", URL: "http://127.0.0.1:1", Pods: "nowhere"}), quick())
	require.ErrorContains(t, err, fmt.Sprintf("node %q: the address of its pods %q has no host", "a", "nowhere"))
}
