package contract_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/controller/contract"
)

func version(name, proto string, rpcs ...string) *v1alpha1.Version {
	v := &v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Generation: 1}}
	v.Spec.Entrypoint = v1alpha1.Entrypoint{Proto: "p.proto",
		Files: []v1alpha1.ProtoFile{{Path: "p.proto", Content: `syntax = "proto3"; ` + proto}}}
	for _, rpc := range rpcs {
		v.Spec.Workflows = append(v.Spec.Workflows, v1alpha1.Workflow{Name: rpc, Entrypoint: rpc})
	}
	return v
}

const both = `service S { rpc A (M) returns (M); rpc B (M) returns (M); } message M { string a = 1; }`

const one = `service S { rpc A (M) returns (M); } message M { string a = 1; }`

func TestCompare(t *testing.T) {
	for name, tt := range map[string]struct {
		published, canary *v1alpha1.Version
		want              string
	}{
		"the same":       {version("a", both, "A", "B"), version("b", both, "A", "B"), ""},
		"more workflows": {version("a", both, "A"), version("b", both, "A", "B"), ""},
		"an rpc that has no workflow": {version("a", both, "A", "B"), version("b", both, "A"),
			`version "b" does not serve the contract of "a": rpc S/B has no workflow`},
		"an rpc that nobody could call": {version("a", both, "A"), version("b", one, "A"), ""},
		"several": {version("a", both, "A"), version("b", `service S { rpc A (M) returns (M); } message M { }`, "A"),
			`version "b" does not serve the contract of "a": rpc S/A, request, field "a": it is missing (and 1 more)`},
		"no proto": {version("a", both, "A"), version("b", `service`, "A"),
			`the protos of version "b" cannot be compiled: p.proto:1:`},
	} {
		t.Run(name, func(t *testing.T) {
			var c contract.Comparer
			for range 2 {
				got, err := c.Compare(t.Context(), "1", tt.published, tt.canary)
				require.NoError(t, err)
				require.Contains(t, got, tt.want)
				require.Equal(t, tt.want == "", got == "")
			}
		})
	}
}

// A canary must let in whom the published version lets in.
func TestCredentials(t *testing.T) {
	keys := &v1alpha1.APIKeys{Secret: "partners"}
	issuer := func(name string, audiences ...string) []v1alpha1.JWTIssuer {
		return []v1alpha1.JWTIssuer{{Issuer: name, Audiences: audiences}}
	}
	for name, tt := range map[string]struct {
		published, canary *v1alpha1.Authentication
		want              string
	}{
		"none":      {nil, nil, ""},
		"no longer": {&v1alpha1.Authentication{APIKeys: keys}, nil, ""},
		"new": {nil, &v1alpha1.Authentication{APIKeys: keys, Workflows: []string{"B"}},
			"clients must authenticate, and need not in the published version"},
		"of other workflows": {&v1alpha1.Authentication{APIKeys: keys, Workflows: []string{"A"}}, &v1alpha1.Authentication{APIKeys: keys},
			"clients of rpc S/B must authenticate, and need not in the published version"},
		"of fewer workflows": {&v1alpha1.Authentication{APIKeys: keys}, &v1alpha1.Authentication{APIKeys: keys, Workflows: []string{"A"}}, ""},
		"by other keys":      {&v1alpha1.Authentication{APIKeys: keys}, &v1alpha1.Authentication{APIKeys: &v1alpha1.APIKeys{Secret: "b"}}, ""},
		"without keys": {&v1alpha1.Authentication{APIKeys: keys, JWT: issuer("i", "a")}, &v1alpha1.Authentication{JWT: issuer("i", "a", "b")},
			"API keys are not accepted"},
		"another issuer": {&v1alpha1.Authentication{JWT: issuer("i", "a")}, &v1alpha1.Authentication{JWT: issuer("j", "a")},
			`tokens of "i" are not accepted`},
		"another audience": {&v1alpha1.Authentication{JWT: issuer("i", "a", "b")}, &v1alpha1.Authentication{JWT: issuer("i", "b")},
			`tokens of "i" for the audience "a" are not accepted`},
	} {
		t.Run(name, func(t *testing.T) {
			var c contract.Comparer
			a, b := version("a", both, "A", "B"), version("b", both, "A", "B")
			a.Spec.Entrypoint.Authentication, b.Spec.Entrypoint.Authentication = tt.published, tt.canary
			got, err := c.Compare(t.Context(), "1", a, b)
			require.NoError(t, err)
			if tt.want != "" {
				tt.want = `version "b" does not serve the contract of "a": ` + tt.want
			}
			require.Equal(t, tt.want, got)
		})
	}
}

func TestANewGenerationIsComparedAgain(t *testing.T) {
	var c contract.Comparer
	a, b := version("a", both, "A", "B"), version("b", both, "A")
	got, err := c.Compare(t.Context(), "1", a, b)
	require.NoError(t, err)
	require.NotEmpty(t, got)
	b.Spec, b.Generation = a.Spec, 2
	got, err = c.Compare(t.Context(), "1", a, b)
	require.NoError(t, err)
	require.Empty(t, got)
}

func TestAComparisonThatIsBrokenOffIsNotRemembered(t *testing.T) {
	var c contract.Comparer
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	a := version("a", both, "A")
	_, err := c.Compare(ended, "1", a, version("b", both, "A"))
	require.Error(t, err)
	got, err := c.Compare(t.Context(), "1", a, version("b", both, "A"))
	require.NoError(t, err)
	require.Empty(t, got)
}
