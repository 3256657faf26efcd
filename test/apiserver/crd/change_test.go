package crd_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

const frozen = "the content of a version cannot change while state is Started (everything except state, restart and comment is content, " +
	"images too): create a new version, or stop this one first (state: Stopped) and change it then"

const runs = "the version still runs although its state is Stopped, and its content cannot change meanwhile: a published version " +
	"runs until it is unpublished, a canary until it gets no requests; see status.conditions"

// create makes a version in the given state that is gone at the test's end, and
// returns it as it is kept, and its path.
func create(t *testing.T, state string) (v object, path string) {
	t.Helper()
	v = parse(t, greeter)
	delete(named(v), "name")
	// The apiserver makes up the rest of the name: cases do not meet.
	named(v)["generateName"] = "v-"
	spec(v)["state"] = state
	a := send(t, http.MethodPost, versions, v)
	requireAccepted(t, a)
	path = versions + "/" + named(a.body)["name"].(string)
	t.Cleanup(func() { send(t, http.MethodDelete, path, nil) })
	return a.body, path
}

// Changes of a version that is Started, as merge patches of its spec. Without a
// field a case is accepted.
var changes = []struct {
	name  string
	patch object
	field string
}{
	{name: "stop", patch: object{"state": "Stopped"}},
	{name: "stop by leaving state out", patch: object{"state": nil}},
	{name: "comment", patch: object{"comment": "because"}},
	{name: "restart", patch: object{"restart": "now"}},
	{name: "nothing", patch: object{"state": "Started"}},
	{name: "order of nodes", patch: object{"nodes": list(
		object{"name": "9model", "image": "example.com/model:1", "gpu": true},
		object{"name": "etl", "image": "example.com/etl", "env": list(object{"name": "LEVEL", "value": "debug"}),
			"scale": object{"min": 0, "max": 3}},
	)}},
	{"image", object{"nodes": list(
		object{"name": "etl", "image": "example.com/etl:2", "env": list(object{"name": "LEVEL", "value": "debug"}),
			"scale": object{"min": 0, "max": 3}},
		object{"name": "9model", "image": "example.com/model:1", "gpu": true},
	)}, "spec.nodes"},
	{"steps", object{"workflows": list(
		object{"name": "greeting", "entrypoint": "Greet", "sequential": list("9model", "etl")},
		object{"name": "parting", "entrypoint": "Entrypoint.Part", "sequential": list("etl")},
	)}, "spec.workflows"},
	{"timeout", object{"entrypoint": object{"timeout": "3s"}}, "spec.entrypoint"},
	{"delivery", object{"entrypoint": object{"delivery": "Direct"}}, "spec.entrypoint"},
	{"config", object{"config": object{"variables": list("CURRENCY", "COUNTRY")}}, "spec.config"},
	{"no config", object{"config": nil}, "spec.config"},
	{"description", object{"description": "Greets well."}, "spec.description"},
	{"no description", object{"description": nil}, "spec.description"},
	{"artifact", object{"artifact": "example.com/a@sha256:" + strings.Repeat("1", 64)}, "spec.artifact"},
	{"stop and description in one", object{"state": "Stopped", "description": "x"}, "spec.description"},
}

func TestChangeVersion(t *testing.T) {
	for _, tt := range changes {
		t.Run(tt.name, func(t *testing.T) {
			_, path := create(t, "Started")
			a := send(t, http.MethodPatch, path, object{"spec": tt.patch})
			if tt.field == "" {
				requireAccepted(t, a)
				return
			}
			requireRefused(t, a, tt.field, frozen)
		})
		t.Run(tt.name+", of a stopped one", func(t *testing.T) {
			_, path := create(t, "Stopped")
			requireAccepted(t, send(t, http.MethodPatch, path, object{"spec": tt.patch}))
		})
	}
	t.Run("change and start in one", func(t *testing.T) {
		_, path := create(t, "Stopped")
		requireAccepted(t, send(t, http.MethodPatch, path, object{"spec": object{"state": "Started", "description": "x"}}))
	})
	t.Run("all rules hold for a change", func(t *testing.T) {
		_, path := create(t, "Stopped")
		a := send(t, http.MethodPatch, path, object{"spec": object{"entrypoint": object{"proto": "other.proto"}}})
		requireRefused(t, a, "spec.entrypoint.proto", "entrypoint.proto is not among entrypoint.files: add its text there, or correct the path")
	})
}

// A version that is published, or a canary, runs on although it is asked to stop.
func TestWhatRunsDoesNotChange(t *testing.T) {
	canary := []object{{
		"type": "Published", "status": "False", "reason": "Canary", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z",
	}}
	for phase, editable := range map[string]bool{
		"Published": false, "Publishing": false, "Canary": false, "Started": true, "Stopping": true, "Stopped": true, "Starting": true,
	} {
		t.Run(phase, func(t *testing.T) {
			_, path := create(t, "Stopped")
			status := object{"phase": phase}
			if phase == "Canary" {
				status = object{"phase": "Started", "conditions": canary}
			}
			requireAccepted(t, send(t, http.MethodPatch, path+"/status", object{"status": status}))
			for _, tt := range changes {
				if tt.name == "stop and description in one" {
					continue
				}
				a := send(t, http.MethodPatch, path+dry, object{"spec": tt.patch})
				if tt.field == "" || editable {
					requireAccepted(t, a)
					continue
				}
				requireRefused(t, a, "spec", runs)
			}
		})
	}
	t.Run("one reason is told of a version that is Started", func(t *testing.T) {
		_, path := create(t, "Started")
		requireAccepted(t, send(t, http.MethodPatch, path+"/status", object{"status": object{"phase": "Published"}}))
		requireRefused(t, send(t, http.MethodPatch, path, object{"spec": object{"description": "x"}}), "spec.description", frozen)
	})
}

// A client that reads a version into our types and writes it back changes no content.
func TestTypesWriteWhatTheyRead(t *testing.T) {
	kept, path := create(t, "Started")
	text, err := json.Marshal(kept)
	require.NoError(t, err)
	var v v1alpha1.Version
	require.NoError(t, json.Unmarshal(text, &v))
	v.Spec.Comment = "a word"
	a := send(t, http.MethodPut, path, &v)
	requireAccepted(t, a)
	delete(spec(a.body), "comment")
	require.Equal(t, spec(kept), spec(a.body))
}

// Runtimes; without a text a case is accepted.
var publications = []struct{ name, runtime, field, text string }{
	{name: "a version", runtime: `{metadata: {name: default}, spec: {publishedVersion: greeter-v1, comment: why}}`},
	{name: "no version", runtime: `{metadata: {name: default}, spec: {publishedVersion: ""}}`},
	{name: "nothing said", runtime: `{metadata: {name: default}}`},
	{"another name", `{metadata: {name: second}, spec: {}}`, "<nil>", "metadata.name: a namespace has one runtime, and its name is default"},
	{"no version's name", `{metadata: {name: default}, spec: {publishedVersion: Greeter}}`, "spec.publishedVersion",
		"this is not a version's name: name one of this namespace (kubectl get krtv), or leave it empty to publish none"},
	{"a name too long", `{metadata: {name: default}, spec: {publishedVersion: abcdefghijklmnopqrst}}`, "spec.publishedVersion",
		"may not be more than 19 bytes"},
	{name: "a canary", runtime: `{metadata: {name: default}, spec: {publishedVersion: a, canary: {version: b, weight: 10, mirror: 100}}}`},
	{name: "a canary with a plan", runtime: `{metadata: {name: default}, spec: {publishedVersion: a, canary: {version: b, ` +
		`plan: {steps: [{weight: 5, for: 10m}]}}}}`},
	{"a canary of nothing", `{metadata: {name: default}, spec: {canary: {version: b}}}`, "spec",
		"canary: there is no version beside which it could serve; set publishedVersion"},
	{"a canary of no version", `{metadata: {name: default}, spec: {publishedVersion: "", canary: {version: b}}}`, "spec",
		"canary: there is no version beside which it could serve; set publishedVersion"},
	{"a canary of itself", `{metadata: {name: default}, spec: {publishedVersion: a, canary: {version: a}}}`, "spec",
		"canary.version: this is the published version itself; name another one"},
	{"a weight and a plan", `{metadata: {name: default}, spec: {publishedVersion: a, canary: {version: b, weight: 1, ` +
		`plan: {steps: [{weight: 5, for: 10m}]}}}}`, "spec.canary", "weight: a plan sets the weights; remove weight, or plan"},
	{"more than all", `{metadata: {name: default}, spec: {publishedVersion: a, canary: {version: b, weight: 101}}}`, "spec.canary.weight",
		"should be less than or equal to 100"},
	{"a step without a duration", `{metadata: {name: default}, spec: {publishedVersion: a, canary: {version: b, ` +
		`plan: {steps: [{weight: 5, for: a while}]}}}}`, "spec.canary.plan.steps[0].for",
		"a step lasts a duration such as 10m or 2h, at least 1s and at most 720h"},
	{"a limit of waiting that is no duration", `{metadata: {name: default}, spec: {publishedVersion: a, canary: {version: b, ` +
		`plan: {steps: [{weight: 5, for: 10m}], waitLimit: -1s}}}}`, "spec.canary.plan.waitLimit",
		"a limit of waiting is a duration such as 30m or 2h, at least 1s and at most 720h"},
	{"a step with nothing to compare", `{metadata: {name: default}, spec: {publishedVersion: a, canary: {version: b, ` +
		`plan: {steps: [{weight: 100, for: 10m}]}}}}`, "spec.canary.plan.steps[0].weight", "should be less than or equal to 99"},
	{"more agreement than there is", `{metadata: {name: default}, spec: {publishedVersion: a, canary: {version: b, ` +
		`plan: {steps: [{weight: 5, for: 10m}], limits: {agreement: {min: 101%}}}}}}`, "spec.canary.plan.limits.agreement.min",
		`should match '^(100(\.0{1,3})?|[0-9]{1,2}(\.[0-9]{1,3})?)%$'`},
	{"a query without a limit", `{metadata: {name: default}, spec: {publishedVersion: a, canary: {version: b, ` +
		`plan: {steps: [{weight: 5, for: 10m}], limits: {query: [{name: q, prometheus: up}]}}}}}`, "spec.canary.plan.limits.query[0]",
		"a query needs min or max"},
}

func TestRuntime(t *testing.T) {
	for _, tt := range publications {
		t.Run(tt.name, func(t *testing.T) {
			o := parse(t, tt.runtime)
			o["apiVersion"], o["kind"] = "krt.dev/v1alpha1", "Runtime"
			a := send(t, http.MethodPost, runtimes+dry, o)
			if tt.text == "" {
				requireAccepted(t, a)
				return
			}
			requireRefused(t, a, tt.field, tt.text)
		})
	}
}
