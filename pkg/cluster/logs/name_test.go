package logs

import (
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

func TestNamesAreThoseOfTheVersion(t *testing.T) {
	v := &v1alpha1.Version{}
	v.Name = "one"
	v.Spec.Nodes = []v1alpha1.Node{{Name: "etl"}, {Name: "model"}}
	v.Spec.Workflows = []v1alpha1.Workflow{{Name: "price"}}
	require.NoError(t, CheckNames(v, []string{"etl", Entrypoint}, "price"))
	require.NoError(t, CheckNames(v, nil, ""))
	require.EqualError(t, CheckNames(v, []string{"modl"}, ""), `version "one" has no node "modl"; did you mean "model"?`)
	require.EqualError(t, CheckNames(v, nil, "prices"), `version "one" has no workflow "prices"; did you mean "price"?`)
}
