package functions_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"krt.dev/kn-krt/test/localrun"
)

func TestChain(t *testing.T) {
	v := localrun.Start(t, "chain")

	for _, length := range []struct {
		rpc   string
		steps int
	}{{"One", 1}, {"Three", 3}, {"Six", 6}, {"Twelve", 12}} {
		t.Run(length.rpc, func(t *testing.T) {
			answersAlike(t, v, call{
				rpc: "chain.Entrypoint/" + length.rpc, workflow: fmt.Sprintf("chain-%d", length.steps),
				request: payload(t, "through every step", 0),
				want:    payload(t, "through every step", length.steps),
			})
		})
	}
	t.Run("large", func(t *testing.T) {
		body := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
		answersAlike(t, v, call{
			rpc: "chain.Entrypoint/Three", workflow: "chain-3",
			request: payload(t, body, 0), want: payload(t, body, 3),
		})
	})
	t.Run("many", func(t *testing.T) {
		manyAtOnce(t, v, "chain.Entrypoint/Twelve", func(i int) (string, string) {
			body := fmt.Sprintf("caller %d", i)
			return payload(t, body, 0), payload(t, body, 12)
		})
	})
}

// payload is a Payload in JSON that has been through the first hops steps.
func payload(t *testing.T, body string, hops int) string {
	message := map[string]any{"body": base64.StdEncoding.EncodeToString([]byte(body))}
	names := make([]string, hops)
	for i := range names {
		names[i] = fmt.Sprintf("step-%d", i+1)
	}
	if hops > 0 {
		message["hops"] = names
	}
	data, err := json.Marshal(message)
	require.NoError(t, err)
	return string(data)
}
