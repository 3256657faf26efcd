package cli

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheckVariable(t *testing.T) {
	for name, c := range map[string]struct{ value, want string }{
		"any text": {"a=b \"c\"\nd é", ""},
		"latin 1":  {"caf\xe9", "is no UTF-8 text"},
		"zero":     {"a\x00b", "is no UTF-8 text"},
		"longest":  {strings.Repeat("x", maxVariable-len("X=")-1), ""},
		"too long": {strings.Repeat("x", maxVariable-len("X=")), "more than an environment variable can have"},
	} {
		t.Run(name, func(t *testing.T) {
			err := checkVariable("X", c.value)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), c.value)
		})
	}
}
