package remote

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

func TestCheckVariable(t *testing.T) {
	for name, c := range map[string]struct{ value, want string }{
		"any text": {"a=b \"c\"\nd é", ""},
		"latin 1":  {"caf\xe9", "is not UTF-8 text"},
		"zero":     {"a\x00b", "is not UTF-8 text"},
		"longest":  {strings.Repeat("x", 128<<10-len("X=")-1), ""},
		"too long": {strings.Repeat("x", 128<<10-len("X=")), "an environment variable has at most 128 KiB"},
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

func TestCheckContent(t *testing.T) {
	spec := v1alpha1.VersionSpec{Nodes: []v1alpha1.Node{{Name: "new"}, {Name: "old", ConfigFiles: v1alpha1.ConfigFilesContent}}}
	large := []byte(strings.Repeat("x", 128<<10))
	require.EqualError(t, checkContent(spec, "CERT", large),
		`config file "CERT": node "old" gets its content as $CERT: `+
			`it has 131072 bytes, and an environment variable has at most 128 KiB with its name`)
	require.ErrorContains(t, checkContent(spec, "CERT", []byte{0}), "it is not UTF-8 text or has a zero byte")
	require.NoError(t, checkContent(spec, "CERT", large[:1000]))
	spec.Nodes = spec.Nodes[:1]
	require.NoError(t, checkContent(spec, "CERT", large))
}
