package legible

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestArgument(t *testing.T) {
	for _, text := range []string{"", "a", "it's", `'; echo "$HOME" #`, "'", "`x`\n$(y)\\", `{"a": "b"}`} {
		got, err := exec.CommandContext(t.Context(), "sh", "-c", "printf %s "+Argument(text)).Output()
		require.NoError(t, err)
		require.Equal(t, text, string(got))
	}
}
