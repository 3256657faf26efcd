package conformance_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/test/conformance"
	"krt.dev/kn-krt/test/conformance/node"
)

const (
	// patience is how long a test waits for what must come.
	patience = time.Minute
	// attempts is how often what a deadline may end too early on a busy machine is tried: see inTime.
	attempts = 20
)

// version is a target with the means to try it. It is all that a case gets.
type version struct {
	conformance.Target
	t    *testing.T
	conn *grpc.ClientConn
}

// open makes the target ready for a test's calls.
func open(t *testing.T, target conformance.Target) *version {
	t.Helper()
	return &version{Target: target, t: t, conn: dial(t, target.GRPC())}
}

// dial makes a connection that ends with the test.
func dial(t *testing.T, address string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// request is a request with an id of its own, to be answered by the node last.
func request(last string, orders ...*node.Order) *node.Request {
	return &node.Request{Id: newID(), Last: last, Orders: orders}
}

func newID() string { return strings.ToLower(rand.Text()) }

// order tells a node what to do.
func order(name string, act node.Act, text string) *node.Order {
	return &node.Order{Node: name, Act: act, Text: text}
}

// call calls the rpc; it fails after patience rather than hang.
func (v *version) call(rpc string, in *node.Request) (*node.Reply, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return v.callContext(ctx, rpc, in)
}

func (v *version) callContext(ctx context.Context, rpc string, in *node.Request, options ...grpc.CallOption) (*node.Reply, error) {
	out := &node.Reply{}
	return out, v.conn.Invoke(ctx, "/conformance.Entrypoint/"+rpc, in, out, options...)
}

// answer is what a call came to.
type answer struct {
	reply *node.Reply
	err   error
}

// begin calls without waiting for the answer.
func (v *version) begin(ctx context.Context, rpc string, in *node.Request, options ...grpc.CallOption) <-chan answer {
	answers := make(chan answer, 1)
	go func() {
		reply, err := v.callContext(ctx, rpc, in, options...)
		answers <- answer{reply, err}
	}()
	return answers
}

// failed checks a call's error: its code, its text, and that its ErrorInfo names
// node (empty: none), workflow and version. It returns the reason.
func (v *version) failed(err error, code codes.Code, text, rpc, name string) (reason string) {
	v.t.Helper()
	s, ok := status.FromError(err)
	require.True(v.t, ok, "%v is no gRPC status", err)
	require.Equal(v.t, code, s.Code(), s.Message())
	if text != "" {
		require.Equal(v.t, text, s.Message())
	}
	want := map[string]string{"workflow": workflowName(rpc), "version": v.Version()}
	if name != "" {
		want["node"] = name
	}
	for _, d := range s.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			require.Equal(v.t, "krt.dev", info.GetDomain())
			got := maps.Clone(info.GetMetadata())
			delete(got, "type") // of an exception
			require.Equal(v.t, want, got)
			return info.GetReason()
		}
	}
	require.Fail(v.t, "the status has no ErrorInfo")
	return ""
}

// codeOf is the gRPC code of a call's error.
func codeOf(err error) codes.Code { return status.Code(err) }

// visited returns the names of the nodes the reply has come through.
func visited(reply *node.Reply) []string {
	var names []string
	for _, visit := range reply.GetVisits() {
		names = append(names, visit.GetNode())
	}
	return names
}

// runs returns how often each node's handler has run for the request.
func (v *version) runs(in *node.Request, names ...string) []int {
	v.t.Helper()
	counts := make([]int, len(names))
	for i, name := range names {
		counts[i] = node.Runs(v.records(name, in.GetId()))
	}
	return counts
}

// awaitRuns waits until the node's handler has run so often for the request.
func (v *version) awaitRuns(in *node.Request, name string, runs int) {
	v.t.Helper()
	v.await(func(c *assert.CollectT) {
		require.GreaterOrEqual(c, node.Runs(v.records(name, in.GetId())), runs)
	})
}

// awaitCancelled waits until the node's handler has been cancelled.
func (v *version) awaitCancelled(in *node.Request, name string) {
	v.t.Helper()
	v.await(func(c *assert.CollectT) {
		require.Contains(c, v.records(name, in.GetId()), "cancelled")
	})
}

// inTime calls once until it reports that it was in time: on a busy machine a deadline may pass before there is
// what it is to end. Never says what has not happened then.
func (v *version) inTime(never string, once func() bool) {
	v.t.Helper()
	for range attempts {
		if once() {
			return
		}
	}
	require.Failf(v.t, "never in time", "%s in %d attempts", never, attempts)
}

// settle waits until the version works on no request any more: what has not run
// by then will not run.
func (v *version) settle() {
	v.t.Helper()
	v.await(func(c *assert.CollectT) {
		require.Zero(c, v.metric("krt_requests_in_flight"))
		if queued, ok := v.Target.(interface{ Waiting() (int64, error) }); ok { // what nobody waits for is in the queue alone
			events, err := queued.Waiting()
			require.NoError(c, err)
			require.Zero(c, events)
		}
	})
}

// await waits until condition holds.
func (v *version) await(condition func(c *assert.CollectT)) {
	v.t.Helper()
	require.EventuallyWithT(v.t, condition, patience, 2*time.Millisecond)
}

// records returns what the node has noted of a call.
func (v *version) records(name, id string) []string {
	text := v.ask(name, order(name, node.Act_TELL, id)).GetText()
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// newGate returns the name of a gate at which that node may wait. It is open once
// the case is over, however that ends: what waits would hold up the rest.
//
// While a call waits, cases ask the node about it.
func (v *version) newGate(name string) string {
	v.asksBeside(name)
	gate := newID()
	v.t.Cleanup(func() { v.openGate(name, gate) })
	return gate
}

// asksBeside skips a case that asks the node while it works on a call, which one
// with a single worker cannot answer.
func (v *version) asksBeside(name string) {
	if l, ok := v.Target.(*local); ok && l.language == conformance.Python && l.workers == 1 && name != "foreign" {
		v.t.Skip("holds a call at a node and asks it another: tried with several workers")
	}
}

// openGate lets those go on that wait at it.
func (v *version) openGate(name, gate string) { v.ask(name, order(name, node.Act_OPEN, gate)) }

// ask orders something of a node, past entrypoint and delivery. A node whose
// process has just died is asked again, and so is one to which a cluster's
// ingress has lost the connection: what refuses a request closes it.
func (v *version) ask(name string, o *node.Order) *node.Reply {
	message, data, err := event.Encode(&node.Request{Orders: []*node.Order{o}})
	require.NoError(v.t, err)
	in := &event.Event{ID: newID(), Source: "/test", Type: event.TypeMessage, Message: message, Data: data}
	reply := &node.Reply{}
	for deadline := time.Now().Add(patience); ; {
		got, err := v.post(v.Node(name), in, nil)
		if (err != nil || got.status == http.StatusBadGateway) && time.Now().Before(deadline) {
			continue
		}
		require.NoError(v.t, err)
		require.Equal(v.t, http.StatusOK, got.status, got.body)
		require.NoError(v.t, proto.Unmarshal([]byte(got.body), reply))
		return reply
	}
}

// httpAnswer is an HTTP answer read to its end.
type httpAnswer struct {
	status int
	header http.Header
	body   string
}

// post posts an event to a URL, with more headers than the event has.
func (v *version) post(url string, e *event.Event, more http.Header) (httpAnswer, error) {
	header := http.Header{}
	e.WriteHeader(header)
	for name, values := range more {
		header[name] = values
	}
	return v.send(http.MethodPost, url, e.Data, header)
}

func (v *version) send(method, url string, body []byte, header http.Header) (httpAnswer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return httpAnswer{}, err
	}
	req.Header = header
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return httpAnswer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	return httpAnswer{res.StatusCode, res.Header, string(text)}, err
}

// awaitReady waits until the node takes events, be it in a new process.
func (v *version) awaitReady(name string) {
	v.t.Helper()
	v.await(func(c *assert.CollectT) {
		got, err := v.send(http.MethodGet, v.Node(name)+"/readyz", nil, nil)
		require.NoError(c, err)
		require.Equal(c, http.StatusOK, got.status)
	})
}

// heard returns what the foreign node noted of the request's events.
func (v *version) heard(in *node.Request) []node.Heard {
	v.t.Helper()
	var all []node.Heard
	for _, text := range node.RunTexts(v.records("foreign", in.GetId())) {
		var h node.Heard
		require.NoError(v.t, json.Unmarshal([]byte(text), &h))
		all = append(all, h)
	}
	return all
}

// metric sums a metric of Prometheus's text form over the replicas; series is
// the whole name with its labels.
func (v *version) metric(series string) float64 {
	text, err := v.Metrics()
	require.NoError(v.t, err)
	var sum float64
	for line := range strings.Lines(text) {
		if number, ok := strings.CutPrefix(strings.TrimSpace(line), series+" "); ok {
			value, err := strconv.ParseFloat(number, 64)
			require.NoError(v.t, err)
			sum += value
		}
	}
	return sum
}

// dropped is how many answers have been dropped for any of the reasons.
func (v *version) dropped(reasons ...string) float64 {
	var sum float64
	for _, reason := range reasons {
		sum += v.metric(fmt.Sprintf(`krt_replies_dropped_total{reason=%q}`, reason))
	}
	return sum
}

// names are n1 to n<count>.
func names(count int) []string {
	all := make([]string, count)
	for i := range all {
		all[i] = fmt.Sprint("n", i+1)
	}
	return all
}

// ones is count times 1.
func ones(count int) []int { return slices.Repeat([]int{1}, count) }
