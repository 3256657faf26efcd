package pyrunner_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A process that a handler forks has nothing to say about requests, however it ends:
// by exit, by an error, or by returning as if it were the node.
func TestForkInAHandler(t *testing.T) {
	for name, child := range map[string]string{
		"exits": "sys.exit(0)", "fails": "raise RuntimeError('in the child')", "returns": "return StringValue(value='child')",
		"replies": "ctx.early_reply(StringValue(value='child'))",
	} {
		for _, kind := range []string{"def", "async def"} {
			t.Run(name+" "+kind, func(t *testing.T) {
				n := start(t, `
import os, sys
`+kind+` handler(ctx, data):
    pid = os.fork()
    if pid == 0:
        `+child+`
        return StringValue(value="child at its end")
    os.waitpid(pid, 0)
    return StringValue(value="node")
`, nil)
				for range 3 {
					require.Equal(t, "node", n.text("x"))
				}
			})
		}
	}
}
