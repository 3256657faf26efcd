package panel

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAdvice(t *testing.T) {
	for next, want := range map[string]Advice{
		"":                                      {},
		"see its log: kn krt logs a --node b":   {"see its log:", "kn krt logs a --node b"},
		"sign in to it: docker login hub:5000":  {"sign in to it:", "docker login hub:5000"},
		"kn-krt data export":                    {"", "kn-krt data export"},
		"Correct its code: it is started again": {"Correct its code: it is started again", ""},
		"run: kubectl get pods; then wait":      {"run: kubectl get pods; then wait", ""},
	} {
		require.Equal(t, want, NewAdvice(next), next)
	}
}
