package conformance_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"krt.dev/kn-krt/test/conformance"
	"krt.dev/kn-krt/test/conformance/node"
)

func loadCases() []testCase {
	return []testCase{
		{name: "load: 500 callers at once, each its own answer", run: manyCallers},
		{name: "stop: under load nothing begun is lost, nothing refused has run", on: conformance.Stopping, run: stopUnderLoad},
	}
}

func manyCallers(v *version) {
	const callers = 500
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			in := request("n3")
			in.Payload = fmt.Append(nil, "caller ", i)
			reply, err := v.callContext(v.t.Context(), "Three", in) // it may take long on a busy machine
			for unreached(err) {
				reply, err = v.callContext(v.t.Context(), "Three", in)
			}
			if assert.NoError(v.t, err) {
				assert.Equal(v.t, string(in.GetPayload()), string(reply.GetPayload()))
				assert.Equal(v.t, names(3), visited(reply))
			}
		})
	}
	wg.Wait()
}

// unreached reports whether a node could not be connected to: a machine that is busy with so many callers does not
// always do that in the seconds that there are for it.
func unreached(err error) bool {
	return status.Code(err) == codes.Unavailable && strings.Contains(err.Error(), "cannot be reached: dial tcp") &&
		strings.HasSuffix(err.Error(), "i/o timeout")
}

func stopUnderLoad(v *version) {
	gate := v.newGate("n2")
	var inFlight [2]*node.Request
	var answers [2]<-chan answer
	for i := range inFlight {
		inFlight[i] = request("n3", order("n2", node.Act_WAIT, gate))
		answers[i] = v.begin(v.t.Context(), "Three", inFlight[i])
	}
	for _, in := range inFlight {
		v.awaitRuns(in, "n2", 1)
	}
	hold := v.newGate("n3")
	last := request("n3",
		streams("n3", node.Act_YIELD, "first", 1), order("n3", node.Act_WAIT, hold), streams("n3", node.Act_YIELD, "last", 1))
	streaming := v.streaming(v.t.Context(), "StreamThree", last)
	streaming.expect("first-0")
	load := v.startLoad()
	v.await(func(c *assert.CollectT) { require.Greater(c, load.answered.Load(), int64(50)) })
	stopped := v.Stop()
	load.callers.Wait() // each ends when it is refused
	v.openGate("n2", gate)
	for i, in := range inFlight {
		got := <-answers[i]
		require.NoError(v.t, got.err)
		require.Equal(v.t, names(3), visited(got.reply))
		require.Equal(v.t, ones(3), v.runs(in, names(3)...))
	}
	v.openGate("n3", hold)
	rest, err := streaming.rest()
	require.NoError(v.t, err)
	require.Equal(v.t, numbered("last", 1), rest)
	require.NoError(v.t, <-stopped)
	for _, in := range load.refused {
		require.Equal(v.t, []int{0, 0, 0}, v.runs(in, names(3)...), "a call that was refused has run")
	}
}

// load is callers that call one time after the other until they are refused.
type load struct {
	callers  sync.WaitGroup
	answered atomic.Int64
	mu       sync.Mutex
	refused  []*node.Request
}

func (v *version) startLoad() *load {
	l := &load{}
	for range 8 {
		caller := open(v.t, v.Target)
		l.callers.Go(func() {
			for {
				in := request("n3")
				reply, err := caller.call("Three", in)
				if err != nil {
					assert.Equal(v.t, codes.Unavailable, codeOf(err), "%v", err)
					l.mu.Lock()
					l.refused = append(l.refused, in)
					l.mu.Unlock()
					return
				}
				if !assert.Equal(v.t, names(3), visited(reply)) {
					return
				}
				l.answered.Add(1)
			}
		})
	}
	return l
}
