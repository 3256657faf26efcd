package spelling_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/krt/spelling"
)

func TestNearest(t *testing.T) {
	for _, test := range []struct {
		name  string
		known []string
		want  string
	}{
		{"etll", []string{"model", "etl", "output"}, "etl"},
		{"MakePredicton", []string{"SaveMetric", "MakePrediction"}, "MakePrediction"},
		{"krtversion", []string{"version", "krtVersion"}, "krtVersion"},
		{"gup", []string{"gpu"}, "gpu"}, // exchanged letters are one edit
		{"shuot", []string{"greet", "shout"}, "shout"},
		{"gxy", []string{"gpu"}, ""}, // two edits are too many for three letters
		{"x", []string{"etl", "model"}, ""},
		{"etl", nil, ""},
		{"abcd", []string{"abce", "abcf"}, "abce"},
		{strings.Repeat("a", 1000), []string{strings.Repeat("a", 999)}, ""},
	} {
		t.Run(test.name[:min(len(test.name), 20)], func(t *testing.T) {
			require.Equal(t, test.want, spelling.Nearest(test.name, test.known))
		})
	}
}

func TestHint(t *testing.T) {
	require.Equal(t, `; did you mean "etl"?`, spelling.Hint("etll", []string{"etl"}))
	require.Empty(t, spelling.Hint("model", []string{"etl"}))
}
