package crd_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const greeter = `
apiVersion: krt.dev/v1alpha1
kind: Version
metadata: {name: greeter-v1}
spec:
  description: Greets.
  entrypoint:
    proto: public_input.proto
    files:
    - {path: public_input.proto, content: 'syntax = "proto3";'}
    - {path: lib/types.proto, content: 'syntax = "proto3";'}
  config: {variables: [CURRENCY], files: [CERT]}
  nodes:
  - {name: etl, image: example.com/etl, env: [{name: LEVEL, value: debug}], scale: {min: 0, max: 3}}
  - {name: 9model, image: 'example.com/model:1', gpu: true}
  workflows:
  - {name: greeting, entrypoint: Greet, sequential: [etl, 9model]}
  - {name: parting, entrypoint: Entrypoint.Part, sequential: [etl]}
`

// Parts of the version that the cases change.
func spec(v object) object       { return v["spec"].(object) }
func entrypoint(v object) object { return spec(v)["entrypoint"].(object) }
func named(v object) object      { return v["metadata"].(object) }
func values(v object) object     { return spec(v)["config"].(object) }
func node(v object) object       { return spec(v)["nodes"].([]any)[0].(object) }
func workflow(v object) object   { return spec(v)["workflows"].([]any)[0].(object) }
func second(v object) object     { return spec(v)["workflows"].([]any)[1].(object) }
func file(v object) object       { return entrypoint(v)["files"].([]any)[1].(object) }
func tokens(more object) object {
	issuer := object{"issuer": "https://example.com", "audiences": list("a")}
	maps.Copy(issuer, more)
	return object{"jwt": list(issuer)}
}
func env(v object) object { return node(v)["env"].([]any)[0].(object) }

const (
	badName     = `may contain only a to z, 0 to 9 and "-", and must begin and end with a letter or digit`
	badVariable = `may contain only A to Z, 0 to 9 and "_", and must begin and end with a letter or digit`
	reserved    = "PORT, PATH, HOME and names that begin with K_, KRT_, LD_ or PYTHON are reserved for the platform; choose another name"
	badPath     = `a path is relative to the bundle's root and stays inside: names joined by single slashes, without "." and ".."`
	badTimeout  = "a timeout is a duration such as 30s or 2m, at least 1ms and at most 590s"
	versionName = `metadata.name: a version's name may contain only a to z, 0 to 9 and "-", must begin with a letter and end with a letter ` +
		`or digit, because a Service gets this name`
	badReplicas = "replicas and scale.min differ, and both set the minimum number of pods: set only one of them"
	badMax      = "scale.max is less than scale.min: raise max (0 means no limit), or lower min"
	badLeast    = "scale.max is less than replicas, the minimum number of pods: raise scale.max, or lower replicas"
	badRPC      = "a workflow's entrypoint is an rpc of the public proto, such as Greet, Entrypoint.Greet or its full name"
	noImage     = "a node needs an image reference, without spaces"
	tooBig      = "the protos have more than 128 KiB in total: remove those that the public proto does not import"
	badArtifact = "an artifact is referred to by digest, such as registry.example.com/team/krt-nodes@sha256:0123…"
	badField    = "a path of a field is made of names joined by dots, such as card.number, at most 16"
	twice       = "a node is listed twice in the workflow: a workflow can have a node only once; to run it twice, declare a second " +
		"node with the same image"
)

// channelOf is a channelTemplate with an annotation.
func channelOf(apiVersion, kind, annotation string) object {
	return object{"apiVersion": apiVersion, "kind": kind, "annotations": object{"example.com/a": annotation}}
}

// set puts a value at a key of a part of the version.
func set(part func(object) object, key string, value any) func(object) {
	return func(v object) { part(v)[key] = value }
}

// gpus has the node ask for GPUs.
func gpus(request object) func(object) {
	return func(v object) { node(v)["gpu"], node(v)["gpuRequest"] = true, request }
}

func list(elements ...any) []any { return elements }

// Every rule of the CRD, with what it lets pass and what it refuses, where and in which words.
// Without a text a case is accepted.
var creations = []struct {
	name        string
	change      func(object)
	field, text string
}{
	{name: "the example", change: func(object) {}},
	{"inspection", set(entrypoint, "inspect", object{}), "", ""},
	{"API keys", set(entrypoint, "authentication", object{"apiKeys": object{"secret": "partners"}, "workflows": list("greeting")}), "", ""},
	{"tokens", set(entrypoint, "authentication", tokens(object{})), "", ""},
	{"tokens of an issuer whose keys are known", set(entrypoint, "authentication", tokens(object{"issuer": "own", "jwks": "{}"})), "", ""},
	{"authentication of nobody", set(entrypoint, "authentication", object{}), "spec.entrypoint.authentication",
		"authentication needs jwt or apiKeys: without them, no client could call"},
	{"an issuer without TLS", set(entrypoint, "authentication", tokens(object{"issuer": "http://example.com"})),
		"spec.entrypoint.authentication.jwt[0].issuer",
		"the keys of an issuer are found by its URL, which must begin with https://: correct it, or set jwks or jwksURL"},
	{"keys without TLS", set(entrypoint, "authentication", tokens(object{"jwksURL": "http://example.com"})),
		"spec.entrypoint.authentication.jwt[0].jwksURL", "the keys of an issuer are fetched over https://"},
	{"a Secret that is none", set(entrypoint, "authentication", object{"apiKeys": object{"secret": "Partners"}}),
		"spec.entrypoint.authentication.apiKeys.secret",
		"the name of a Secret may contain only a to z, 0 to 9, \"-\" and \".\", and must begin and end with a letter or digit"},
	{"authentication of a workflow that is none",
		set(entrypoint, "authentication", object{"apiKeys": object{"secret": "partners"}, "workflows": list("greetings")}),
		"spec.entrypoint.authentication.workflows",
		"authentication names a workflow that is not declared: declare it in workflows, or correct the name"},
	{"inspection of fields", set(entrypoint, "inspect", object{"redact": list("a", "card.number", "a_b.C.d1")}), "", ""},
	{"a path that is none", set(entrypoint, "inspect", object{"redact": list("card number")}), "spec.entrypoint.inspect.redact[0]", badField},
	{"a path of 17 names", set(entrypoint, "inspect", object{"redact": list("a" + strings.Repeat(".a", 16))}),
		"spec.entrypoint.inspect.redact[0]", badField},
	{"a name of 19 characters", set(named, "name", "abcdefghijklmnopqrs"), "", ""},
	{"a name of 20", set(named, "name", "abcdefghijklmnopqrst"), "<nil>",
		"metadata.name: a version's name can have at most 19 characters, because the names of its objects begin with it; choose a shorter one"},
	{"a name with a digit first", set(named, "name", "1greeter"), "<nil>", versionName},
	{"a name with a dot", set(named, "name", "greeter.v1"), "<nil>", versionName},
	{"a name that is taken", set(named, "name", "active-entrypoint"), "<nil>",
		"metadata.name: active-entrypoint is the name of the published version's Service; choose another"},

	{"started at once", set(spec, "state", "Started"), "", ""},
	{"another state", set(spec, "state", "Paused"), "spec.state", `supported values: "Stopped", "Started"`},
	{"direct delivery", set(entrypoint, "delivery", "Direct"), "", ""},
	{"another delivery", set(entrypoint, "delivery", "Pigeon"), "spec.entrypoint.delivery",
		`supported values: "Sequence", "Direct", "Durable"`},
	{"durable delivery", set(entrypoint, "delivery", "Durable"), "", ""},
	{"a channel", set(entrypoint, "channelTemplate", channelOf("messaging.knative.dev/v1", "KafkaChannel", "1")), "", ""},
	{"a channel of direct delivery", func(v object) {
		entrypoint(v)["delivery"], entrypoint(v)["channelTemplate"] = "Direct", channelOf("messaging.knative.dev/v1", "KafkaChannel", "1")
	}, "spec.entrypoint.channelTemplate", "a channelTemplate is of use only with delivery Sequence: remove it, or change the delivery"},
	{"a channel without a group", set(entrypoint, "channelTemplate", channelOf("v1", "KafkaChannel", "1")),
		"spec.entrypoint.channelTemplate.apiVersion",
		"the apiVersion of a channel has a group and a version, such as messaging.knative.dev/v1"},
	{"a channel of no kind", set(entrypoint, "channelTemplate", channelOf("messaging.knative.dev/v1", "kafka", "1")),
		"spec.entrypoint.channelTemplate.kind", "a kind is such as KafkaChannel"},
	{"a channel's long annotation", set(entrypoint, "channelTemplate",
		channelOf("messaging.knative.dev/v1", "KafkaChannel", strings.Repeat("a", 1025))), "spec.entrypoint.channelTemplate.annotations",
		"an annotation has a name of at most 316 characters and a value of at most 1024"},
	{"results", set(entrypoint, "results", object{"retention": "24h"}), "", ""},
	{"without warming up", set(entrypoint, "warmUp", false), "", ""},
	{"warming up by a word", set(entrypoint, "warmUp", "never"), "spec.entrypoint.warmUp",
		`must be of type boolean: "string"`},
	{"results for seconds", set(entrypoint, "results", object{"retention": "1s"}), "spec.entrypoint.results.retention",
		"the retention of results is a duration such as 30m or 24h, at least 1m and at most 720h"},
	{"an artifact by tag", set(spec, "artifact", "example.com/a:1"), "spec.artifact", badArtifact},
	{"two entrypoints", set(entrypoint, "replicas", 2), "", ""},
	{"no entrypoint", set(entrypoint, "replicas", 0), "spec.entrypoint.replicas", "should be greater than or equal to 1"},

	{"a proto in a folder", set(entrypoint, "proto", "lib/types.proto"), "", ""},
	{"a proto that is not there", set(entrypoint, "proto", "other.proto"), "spec.entrypoint.proto",
		"entrypoint.proto is not among entrypoint.files: add its text there, or correct the path"},
	{"a file that is no proto", set(file, "path", "lib/types.txt"), "spec.entrypoint.files[1].path", "the path of a proto ends in .proto"},
	{"an absolute path", set(file, "path", "/lib/types.proto"), "spec.entrypoint.files[1].path", badPath},
	{"a path that leaves", set(file, "path", "../types.proto"), "spec.entrypoint.files[1].path", badPath},
	{"a path with a dot", set(file, "path", "./types.proto"), "spec.entrypoint.files[1].path", badPath},
	{"a path with two slashes", set(file, "path", "lib//types.proto"), "spec.entrypoint.files[1].path", badPath},
	{"a path with a backslash", set(file, "path", `lib\types.proto`), "spec.entrypoint.files[1].path", badPath},
	{"a file twice", set(file, "path", "public_input.proto"), "spec.entrypoint.files[1]", `Duplicate value: {"path":"public_input.proto"}`},
	{"128 KiB of protos", set(file, "content", strings.Repeat("x", 131072-18)), "", ""},
	{"a byte more", set(file, "content", strings.Repeat("x", 131072-17)), "spec.entrypoint.files", tooBig},
	{"bytes that are not characters", set(file, "content", strings.Repeat("ü", 65536)), "spec.entrypoint.files", tooBig},

	{"the longest timeout", set(entrypoint, "timeout", "9m50s"), "", ""},
	{"the shortest timeout", set(entrypoint, "timeout", "0.001s"), "", ""},
	{"a longer timeout", set(entrypoint, "timeout", "590.001s"), "spec.entrypoint.timeout", badTimeout},
	{"no time", set(entrypoint, "timeout", "0s"), "spec.entrypoint.timeout", badTimeout},
	{"a negative time", set(entrypoint, "timeout", "-3s"), "spec.entrypoint.timeout", badTimeout},
	{"a time in words", set(entrypoint, "timeout", "soon"), "spec.entrypoint.timeout", badTimeout},
	{"the longest background timeout", set(entrypoint, "backgroundTimeout", "24h"), "", ""},
	{"a longer background timeout", set(entrypoint, "backgroundTimeout", "24h1s"), "spec.entrypoint.backgroundTimeout",
		"a background timeout is a duration such as 10m or 2h, at least 1ms and at most 24h"},
	{"a node's timeout", set(node, "timeout", "1m30s"), "", ""},
	{"a node's longer timeout", set(node, "timeout", "10m"), "spec.nodes[0].timeout", badTimeout},

	{"a variable with all characters", set(values, "variables", list("0_A9")), "", ""},
	{"a variable in small letters", set(values, "variables", list("currency")), "spec.config.variables[0]",
		"the name of a config variable " + badVariable},
	{"a variable that begins with _", set(values, "variables", list("_X")), "spec.config.variables[0]", "the name of a config variable " +
		badVariable},
	{"a config file in small letters", set(values, "files", list("cert")), "spec.config.files[0]", "the name of a config file " + badVariable},
	{"variables like reserved ones", set(values, "variables", list("PORTS", "MYPATH", "K8S", "KRTX", "LDX", "HOMES")), "", ""},
	{"PORT", set(values, "variables", list("PORT")), "spec.config.variables[0]", reserved},
	{"HOME", set(values, "variables", list("A", "HOME")), "spec.config.variables[1]", reserved},
	{"K_SINK", set(values, "variables", list("K_SINK")), "spec.config.variables[0]", reserved},
	{"KRT_X", set(values, "files", list("KRT_X")), "spec.config.files[0]", reserved},
	{"LD_PRELOAD", set(env, "name", "LD_PRELOAD"), "spec.nodes[0].env[0].name", reserved},
	{"PYTHONPATH", set(env, "name", "PYTHONPATH"), "spec.nodes[0].env[0].name", reserved},
	{"PATH", set(env, "name", "PATH"), "spec.nodes[0].env[0].name", reserved},
	{"a variable twice", set(values, "variables", list("A", "A")), "spec.config.variables[1]", `Duplicate value: "A"`},
	{"a variable that is a file", set(values, "variables", list("CERT")), "spec.config",
		"a name is in both variables and files: a config value is a variable or a file, so remove it from one of them"},
	{"an environment variable in small letters", set(env, "name", "_level1"), "", ""},
	{"an environment variable with a digit first", set(env, "name", "1LEVEL"), "spec.nodes[0].env[0].name",
		`the name of an environment variable may contain only letters, digits and "_", and must not begin with a digit`},
	{"an environment variable that is a config variable", set(env, "name", "CURRENCY"), "spec.nodes",
		"an environment variable of a node is also in config.variables: declare it only once, in env or in config"},
	{"an environment variable that is a config file", set(env, "name", "CERT"), "spec.nodes",
		"an environment variable of a node is also in config.files: declare it only once, in env or in config"},
	{"an environment variable twice", set(node, "env", list(object{"name": "A"}, object{"name": "A"})), "spec.nodes[0].env[1]",
		`Duplicate value: {"name":"A"}`},

	{"a node with capitals", func(v object) {
		node(v)["name"], workflow(v)["sequential"], second(v)["sequential"] = "Etl", list("Etl"), list("Etl")
	},
		"spec.nodes[0].name", "the name of a node " + badName},
	{"a node named reply", func(v object) {
		node(v)["name"], workflow(v)["sequential"], second(v)["sequential"] = "reply", list("reply"), list("reply")
	},
		"spec.nodes[0].name", "entrypoint, reply and config are reserved for the platform's own objects; choose another name for the node"},
	{"a node twice", func(v object) { spec(v)["nodes"] = append(spec(v)["nodes"].([]any), node(v)) }, "spec.nodes[2]",
		`Duplicate value: {"name":"etl"}`},
	{"no image", set(node, "image", ""), "spec.nodes[0].image", noImage},
	{"an image with a space", set(node, "image", "example.com/a b"), "spec.nodes[0].image", noImage},
	{"an image that ko has not resolved", set(node, "image", "ko://krt.dev/kn-krt/functions/greeter"), "spec.nodes[0].image",
		"this is a Go import path, which ko builds and replaces with an image: apply the file with ko apply -f FILE"},
	{"code", set(node, "src", "src/etl/main.py"), "", ""},
	{"no code", set(node, "src", ""), "", ""},
	{"code outside", set(node, "src", "src/../../main.py"), "spec.nodes[0].src", badPath},

	{"replicas as scale.min", func(v object) { node(v)["replicas"], node(v)["scale"] = 2, object{"min": 2, "max": 2} }, "", ""},
	{"replicas and another scale.min", func(v object) { node(v)["replicas"] = 1 }, "spec.nodes[0]", badReplicas},
	{"a max of 0", set(node, "scale", object{"min": 2, "max": 0}), "", ""},
	{"a max below min", set(node, "scale", object{"min": 2, "max": 1}), "spec.nodes[0].scale", badMax},
	{"a max below replicas", func(v object) { node(v)["replicas"], node(v)["scale"] = 2, object{"max": 1} }, "spec.nodes[0]", badLeast},
	{"too many pods", set(node, "scale", object{"max": 1001}), "spec.nodes[0].scale.max", "should be less than or equal to 1000"},
	{"a pod that is kept", set(node, "scale", object{"keep": "15m", "startTimeout": "30m"}), "", ""},
	{"a pod that is kept for too long", set(node, "scale", object{"keep": "61m"}), "spec.nodes[0].scale.keep",
		"scale.keep is a duration such as 10m, at least 1s and at most 1h"},
	{"a start for days", set(node, "scale", object{"startTimeout": "25h"}), "spec.nodes[0].scale.startTimeout",
		"scale.startTimeout is a duration such as 30m, at least 1s and at most 24h"},
	{"a part of a GPU", gpus(object{"resource": "nvidia.com/mig-1g.10gb", "count": 2}), "", ""},
	{"two of the usual GPUs", gpus(object{"count": 2}), "", ""},
	{"which GPU, but none", set(node, "gpuRequest", object{"resource": "amd.com/gpu"}), "spec.nodes[0]",
		"gpuRequest has an effect only with gpu: true"},
	{"a GPU that is none", gpus(object{"resource": "gpu"}), "spec.nodes[0].gpuRequest.resource",
		`a GPU is a resource such as nvidia.com/gpu or nvidia.com/mig-1g.10gb: a domain, "/" and a name`},
	{"a GPU of Kubernetes", gpus(object{"resource": "kubernetes.io/gpu"}), "spec.nodes[0].gpuRequest.resource",
		"resources of kubernetes.io are not GPUs"},
	{"no GPUs", gpus(object{"count": 0}), "spec.nodes[0].gpuRequest.count", "should be greater than or equal to 1"},
	{"a GPU twice", func(v object) {
		gpus(object{"resource": "amd.com/gpu"})(v)
		node(v)["resources"] = object{"limits": object{"amd.com/gpu": 1}}
	}, "spec.nodes[0]", "gpuRequest and resources ask for the same resource: remove it from resources"},
	{"resources", set(node, "resources", object{"limits": object{"cpu": 1, "memory": "2Gi"}}), "", ""},
	{"resources in words", set(node, "resources", object{"limits": object{"memory": "much"}}), "spec.nodes[0].resources.limits.memory",
		`spec.nodes[0].resources.limits.memory in body should match ` +
			`'^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$'`},

	{"a workflow with a dot", set(workflow, "name", "a.b"), "spec.workflows[0].name", "the name of a workflow " + badName},
	{"a workflow twice", set(workflow, "name", "parting"), "spec.workflows[1]", `Duplicate value: {"name":"parting"}`},
	{"a full rpc", set(workflow, "entrypoint", "demo.v1.Entrypoint.Greet"), "", ""},
	{"no rpc", set(workflow, "entrypoint", ""), "spec.workflows[0].entrypoint", badRPC},
	{"an rpc as a path", set(workflow, "entrypoint", "/demo.Entrypoint/Greet"), "spec.workflows[0].entrypoint", badRPC},
	{"an rpc of two workflows", set(workflow, "entrypoint", "Entrypoint.Part"), "spec.workflows",
		`several workflows have the entrypoint "Entrypoint.Part": each workflow needs an rpc of its own`},
	{"a node that is not declared", set(second, "sequential", list("etll")), "spec.workflows",
		"a workflow names a node that is not declared: declare it in nodes, or correct the name"},
	{"a step twice", set(workflow, "sequential", list("etl", "9model", "etl")), "spec.workflows[0].sequential", twice},
}

func TestCreateVersion(t *testing.T) {
	for _, tt := range creations {
		t.Run(tt.name, func(t *testing.T) {
			v := parse(t, greeter)
			tt.change(v)
			a := send(t, http.MethodPost, versions+dry, v)
			if tt.text == "" {
				requireAccepted(t, a)
				return
			}
			requireRefused(t, a, tt.field, tt.text)
		})
	}
}

func TestDefaults(t *testing.T) {
	a := send(t, http.MethodPost, versions+dry, parse(t, greeter))
	requireAccepted(t, a)
	require.Equal(t, "Stopped", spec(a.body)["state"])
	require.Equal(t, "Sequence", entrypoint(a.body)["delivery"])
}
