package value

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

func TestValuesOfVariablesAreChecked(t *testing.T) {
	spec := v1alpha1.VersionSpec{Config: v1alpha1.Config{Variables: []string{"X", "Y"}}}
	for name, c := range map[string]struct{ value, want string }{
		"any text": {"a=b \"c\"\nd é", ""},
		"latin 1":  {"caf\xe9", "is not UTF-8 text"},
		"zero":     {"a\x00b", "is not UTF-8 text"},
		"longest":  {strings.Repeat("x", 128<<10-len("X=")-1), ""},
		"too long": {strings.Repeat("x", 128<<10-len("X=")), "an environment variable has at most 128 KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Check(&spec, map[string][]byte{"X": []byte(c.value)})
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, `config variable "X": it`)
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), c.value)
			var refused *Error
			require.ErrorAs(t, err, &refused)
			require.True(t, refused.Variable)
		})
	}
}

// Nodes of the original platform get the content of a file as the value of a variable.
func TestContentsOfFilesAreCheckedWhereTheyAreValues(t *testing.T) {
	spec := v1alpha1.VersionSpec{
		Config: v1alpha1.Config{Files: []string{"CERT"}},
		Nodes:  []v1alpha1.Node{{Name: "new"}, {Name: "old", ConfigFiles: v1alpha1.ConfigFilesContent}},
	}
	check := func(content []byte) error { return Check(&spec, map[string][]byte{"CERT": content}) }
	large := []byte(strings.Repeat("x", 128<<10))
	require.EqualError(t, check(large),
		`config file "CERT": node "old" gets its content as $CERT: `+
			`it has 131072 bytes, and an environment variable has at most 128 KiB with its name`)
	require.ErrorContains(t, check([]byte{0}), "is not UTF-8 text or has a zero byte")
	require.NoError(t, check(large[:1000]))
	spec.Nodes = spec.Nodes[:1]
	require.NoError(t, check(large))
}

func TestWhatCannotBeUnset(t *testing.T) {
	v := &v1alpha1.Version{}
	v.Name, v.Spec.Config = "one", v1alpha1.Config{Variables: []string{"TOKEN"}, Files: []string{"CERT"}}
	require.NoError(t, CheckUnset(v, nil, []string{"TOKEN", "CERT"}))
	require.EqualError(t, CheckUnset(v, nil, []string{"TOKN"}),
		`version "one" declares no config variable or file "TOKN"; did you mean "TOKEN"?`)
	require.EqualError(t, CheckUnset(v, map[string][]byte{"CERT": nil}, []string{"CERT"}), `cannot both set and unset "CERT"`)
	v.Spec.State = v1alpha1.StateStarted
	require.EqualError(t, CheckUnset(v, nil, []string{"TOKEN"}), `cannot unset "TOKEN": version "one" is started and needs it`)
}

func TestAnEmptyVariableHasNoValueAndAnEmptyFileHas(t *testing.T) {
	declared := v1alpha1.Config{Variables: []string{"A", "B"}, Files: []string{"C", "D"}}
	require.Equal(t, []Entry{
		{Name: "A", Set: true, Value: []byte("a")}, {Name: "B"},
		{Name: "C", File: true, Set: true, Value: []byte{}}, {Name: "D", File: true},
	}, Entries(declared, map[string][]byte{"A": []byte("a"), "B": {}, "C": {}, "OTHER": []byte("o")}))
	require.Empty(t, Entries(v1alpha1.Config{}, nil))
}
