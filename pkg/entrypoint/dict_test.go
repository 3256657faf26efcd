package entrypoint_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/runner/dict"
	"krt.dev/kn-krt/pkg/runner/event"
)

// dictNode is a node of runner 1.22, which responds with the given JSON.
func dictNode(t *testing.T, name, text string) entrypoint.Step {
	t.Helper()
	message, data, err := dict.Encode([]byte(text))
	require.NoError(t, err)
	return node(t, name, func(_ context.Context, in *event.Event) (int, *event.Event) {
		return http.StatusOK, in.Next(event.Source("test", "v1", name), event.TypeMessage, message, data)
	})
}

func TestTheLastNodesDictBecomesTheRPCsOutput(t *testing.T) {
	f := newFixture(t)
	f.serve(f.version(node(t, "a", f.says("a", false)), dictNode(t, "b", `{"text":"of a dict","payload":null}`)), quick())
	got, err := f.call(t.Context(), "hello")
	require.NoError(t, err)
	require.Equal(t, "of a dict", got)
}

func TestADictThatIsNotTheRPCsOutputNamesNodeAndField(t *testing.T) {
	for text, want := range map[string]string{
		`{"txt":"x"}`: `error in 'b': the returned value is not the response of rpc test.Entrypoint/Call: ` +
			`test.Reply has no field "txt": it has text, payload`,
		`{"text":[1]}`: `field "text" must be a text (string), not a list`,
		`["x"]`:        `the value must be a dict with the fields of test.Reply, not a list`,
	} {
		f := newFixture(t)
		f.serve(f.version(dictNode(t, "b", text)), quick())
		_, err := f.call(t.Context(), "hello")
		told, info := failed(t, err, codes.Internal)
		require.Contains(t, told, want)
		require.Equal(t, "b", info.GetMetadata()["node"])
		require.Equal(t, event.ReasonWrongOutput, info.GetReason())
	}
}
