package conformance_test

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/metadata"

	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/test/conformance/node"
)

func inspectCases() []testCase {
	return []testCase{
		{name: "inspection: it has what each node got and returned", run: inspectSteps},
		{name: "inspection: an exit, an early reply and an error are in it", run: inspectEnds},
	}
}

// inspected calls the rpc and returns a function that returns what the entrypoint has kept of
// the request so far.
func (v *version) inspected(rpc string, in *node.Request) func(c *assert.CollectT) *inspection.Request {
	l, ok := v.Target.(*local)
	if !ok {
		v.t.Skip("the version on the cluster keeps no messages")
	}
	ctx, cancel := context.WithTimeout(v.t.Context(), patience)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "krt-inspect", "1")
	s := v.streaming(ctx, rpc, in) // a unary rpc, too: one message is a stream of one
	_, _ = s.rest()
	ids := s.Trailer().Get("krt-correlation-id")
	require.Len(v.t, ids, 1)
	client, err := inspection.New("http://"+l.entries[0].listeners.Inspection.Addr().String(), nil)
	require.NoError(v.t, err)
	return func(c *assert.CollectT) *inspection.Request {
		r, err := client.Get(v.t.Context(), ids[0])
		require.NoError(c, err)
		return r
	}
}

// visits are the nodes in the visits of a payload.
func visits(c *assert.CollectT, p *inspection.Payload) string {
	require.NotNil(c, p)
	var m struct{ Visits []struct{ Node string } }
	require.NoError(c, json.Unmarshal(p.JSON, &m), p.Note)
	var nodes []string
	for _, one := range m.Visits {
		nodes = append(nodes, one.Node)
	}
	return strings.Join(nodes, " ")
}

func inspectSteps(v *version) {
	kept := v.inspected("Three", request("n3"))
	v.await(func(c *assert.CollectT) { // copies come after the response
		r := kept(c)
		require.Len(c, r.Steps, 3)
		before := ""
		for i, s := range r.Steps {
			require.Equal(c, names(3)[i], s.Node)
			require.Equal(c, before, visits(c, s.Input))
			before = strings.TrimSpace(before + " " + s.Node)
			require.Equal(c, before, visits(c, s.Output))
		}
		require.Equal(c, before, visits(c, r.Output))
		require.Equal(c, "conformance.Reply", r.Output.Type)
	})
}

func inspectEnds(v *version) {
	for act, text := range map[node.Act]string{node.Act_EXIT: "exit", node.Act_EARLY_REPLY: "reply", node.Act_FAIL: ""} {
		in := request("n3")
		in.Orders = append(in.Orders, order("n2", act, "because"))
		kept := v.inspected("Three", in)
		v.await(func(c *assert.CollectT) {
			r := kept(c)
			require.Equal(c, text, r.Early)
			require.GreaterOrEqual(c, len(r.Steps), 2)
			require.Equal(c, "n1", visits(c, r.Steps[1].Input))
			if act == node.Act_FAIL {
				require.True(c, r.Failed())
				require.Equal(c, "n2", r.Node)
				require.Contains(c, r.Error, "because")
				return
			}
			require.NotNil(c, r.Output)
			require.Contains(c, string(r.Output.JSON), "because")
		})
	}
}
