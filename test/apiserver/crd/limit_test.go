package crd_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"krt.dev/kn-krt/pkg/krt"
)

// many makes n elements.
func many(n int, element func(i int) any) []any {
	all := make([]any, n)
	for i := range all {
		all[i] = element(i)
	}
	return all
}

// long fills a name up to a length, with i in it.
func long(prefix string, i, length int) string {
	name := fmt.Sprintf("%s%d", prefix, i)
	return name + strings.Repeat("X", length-len(name))
}

// largest is the version that has as much of everything as there may be, in
// values that make the rules work hardest.
func largest(t *testing.T) object {
	v := parse(t, greeter)
	entrypoint(v)["files"] = many(32, func(i int) any {
		return object{"path": strings.Repeat("d/", 500) + fmt.Sprintf("%d.proto", i), "content": strings.Repeat("x", 4096)}
	})
	entrypoint(v)["proto"] = strings.Repeat("d/", 500) + "31.proto"
	values(v)["variables"] = many(krt.MaxVariables, func(i int) any { return long("V", i, 60) })
	values(v)["files"] = many(krt.MaxFiles, func(i int) any { return long("F", i, 60) })
	spec(v)["nodes"] = many(krt.MaxNodes, func(i int) any {
		return object{"name": fmt.Sprintf("node-%014d", i), "image": "example.com/image", "env": many(krt.MaxVariables, func(j int) any {
			return object{"name": long("E", j, 40), "value": "x"}
		})}
	})
	spec(v)["workflows"] = many(krt.MaxWorkflows, func(i int) any {
		return object{"name": fmt.Sprintf("flow-%014d", i), "entrypoint": fmt.Sprintf("Entrypoint.Call%d", i),
			"sequential": many(krt.MaxSteps, func(j int) any {
				return fmt.Sprintf("node-%014d", krt.MaxNodes-1-j)
			})}
	})
	return v
}

// The apiserver stops rules that cost too much: the largest version must pass,
// when it is made and when it is changed.
func TestTheLargestVersionIsAccepted(t *testing.T) {
	v := largest(t)
	named(v)["name"] = "largest"
	spec(v)["state"] = "Started"
	requireAccepted(t, send(t, http.MethodPost, versions, v))
	path := versions + "/largest"
	t.Cleanup(func() { send(t, http.MethodDelete, path, nil) })
	requireAccepted(t, send(t, http.MethodPatch, path, object{"spec": object{"comment": "again"}}))
	a := send(t, http.MethodPatch, path, object{"spec": object{"workflows": spec(parse(t, greeter))["workflows"]}})
	require.Equal(t, http.StatusUnprocessableEntity, a.code, "%v", a.body["message"])
	require.Contains(t, strings.Join(a.refused, "\n"), frozen)
}

// What pkg/krt says of a manifest, the CRD says of a version.
func TestLimitsAreTheManifests(t *testing.T) {
	top := schema(t, "300-versions.yaml").Properties["spec"].Properties
	nodes, workflows, config := top["nodes"], top["workflows"], top["config"].Properties
	env := nodes.Items.Schema.Properties["env"]
	steps := workflows.Items.Schema.Properties["sequential"]
	variables, files := config["variables"], config["files"]
	for name, tt := range map[string]struct {
		got  *int64
		want int64
	}{
		"nodes":     {nodes.MaxItems, krt.MaxNodes},
		"workflows": {workflows.MaxItems, krt.MaxWorkflows},
		"steps":     {steps.MaxItems, krt.MaxSteps},
		"env":       {env.MaxItems, krt.MaxVariables},
		"variables": {variables.MaxItems, krt.MaxVariables},
		"files":     {files.MaxItems, krt.MaxFiles},
	} {
		require.NotNil(t, tt.got, name)
		require.Equal(t, tt.want, *tt.got, name)
	}
	for _, list := range []apiextensionsv1.JSONSchemaProps{nodes, workflows} {
		name := list.Items.Schema.Properties["name"]
		require.EqualValues(t, krt.MaxName, *name.MaxLength)
	}
}
