package krt_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/krt"
)

func parse(text string) (*krt.Manifest, []string) {
	m, problems := krt.Parse("krt.yml", []byte(text))
	var lines []string
	for _, p := range problems {
		lines = append(lines, p.String())
	}
	return m, lines
}

// minimal is a manifest of one node and one workflow, to be changed by tests.
const minimal = `version: v1
description: d
entrypoint:
  proto: p.proto
nodes:
  - name: etl
    image: kre-py:1
    src: m.py
workflows:
  - name: w
    entrypoint: Do
    sequential: [etl]
`

// mistake is a change of the minimal manifest, and a problem that it has; none if want is empty.
type mistake struct{ name, old, new, want string }

func (m mistake) text(t *testing.T) string {
	if m.old == "" {
		return minimal
	}
	require.Equal(t, 1, strings.Count(minimal, m.old))
	return strings.Replace(minimal, m.old, m.new, 1)
}

func mistakes() []mistake {
	return []mistake{
		{"nothing", "", "", ""},
		{"unknown node", "[etl]", "[etl, etll]", `krt.yml:12:23: workflow "w": node "etll" is not declared; did you mean "etl"?`},
		{"node twice in a workflow", "[etl]", "[etl, etl]",
			`krt.yml:12:23: workflow "w": node "etl" is listed twice; a workflow can have a node only once`},
		{"no steps", "[etl]", "[]", `krt.yml:12:5: workflow "w": sequential is empty: a workflow needs at least one node`},
		{"KRT V2", "version: v1", "krtVersion: v2\nversion: v1",
			`krt.yml:1:13: krtVersion "v2" is not supported: kn-krt runs KRT V1; write the manifest with krtVersion: v1`},
		{"empty KRT version", "version: v1", "krtVersion: \"\"\nversion: v1", ``},
		{"version begins with a digit", "version: v1", "version: 1",
			`krt.yml:1:10: version "1" begins with a digit: KRT allows that, but a Kubernetes Service cannot have such a name; begin it with a ` +
				`letter`},
		{"version true", "version: v1", "version: true", ""},
		{"description true", "description: d", "description: true", ""},
		{"description True", "description: d", "description: True", ""},
		{"version reserved", "version: v1", "version: active-entrypoint",
			`krt.yml:1:10: version "active-entrypoint" is reserved; choose another`},
		{"version with a dot", "version: v1", "version: v1.0", `krt.yml:1:10: version "v1.0" may contain only a to z, 0 to 9 and "-"`},
		{"version too long", "version: v1", "version: abcdefghij-abcdefghi",
			`krt.yml:1:10: version "abcdefghij-abcdefghi" is 20 characters long; at most 19 are allowed`},
		{"node reserved", "[etl]", "[etl, reply]", `krt.yml:12:23: workflow "w": node "reply" is not declared`},
		{"workflow of 31 characters", "name: w\n", "name: abcdefghijabcdefghijabcdefghijx\n",
			`krt.yml:10:11: workflow "abcdefghijabcdefghijabcdefghijx": name "abcdefghijabcdefghijabcdefghijx" is 31 characters long; at most 19 ` +
				`are allowed`},
		{"name with a space", "name: w\n", "name: my flow\n", `krt.yml:10:11: workflow "my flow": name "my flow" may contain only a to z`},
		{"proto outside", "p.proto", "../p.proto", `krt.yml:4:10: entrypoint.proto "../p.proto" is outside the bundle`},
		{"proto absolute", "p.proto", "/p.proto",
			`krt.yml:4:10: entrypoint.proto "/p.proto" is absolute; paths are relative to the bundle's root`},
		{"proto of another kind", "p.proto", "p.txt", `krt.yml:4:10: entrypoint.proto is "p.txt"; it must end in .proto`},
		{"src outside", "m.py", "a/../../m.py", `krt.yml:8:10: node "etl": src "../m.py" is outside the bundle`},
		{"src with a backslash", "m.py", `src\m.py`, `krt.yml:8:10: node "etl": src "src\\m.py" is not a valid path; write it with slashes`},
		{"src of a runner image missing", "    src: m.py\n", "",
			`krt.yml:6:5: node "etl": src is missing: image "kre-py:1" does not contain a node's code`},
		{"src of another image missing", "kre-py:1\n    src: m.py\n", "me/mine:1\n",
			`krt.yml:6:5: warning: node "etl": no src: its image must contain the node's code, and only a cluster can run the node`},
		{"image", "kre-py:1", "Kre Py", `krt.yml:7:12: node "etl": image "Kre Py" is not an image reference`},
		{"image with registry and digest", "kre-py:1", "localhost:5000/a/b:c@sha256:" + strings.Repeat("0a", 32), ``},
		{"ko image", "kre-py:1\n    src: m.py", "ko://krt.dev/x", ``},
		{"bad ko image", "kre-py:1", "ko://../x", `krt.yml:7:12: node "etl": image "ko://../x" must have a Go import path after ko://`},
		{"gpu as text", "m.py", "m.py\n    gpu: \"true\"", `krt.yml:9:10: node "etl": gpu must be true or false, not text`},
		{"gpu as YAML 1.1", "m.py", "m.py\n    gpu: yes", ``},
		{"a part of a GPU", "m.py", "m.py\n    gpu: {resource: nvidia.com/mig-1g.10gb, count: 2}", ``},
		{"another vendor's GPU", "m.py", "m.py\n    gpu:\n      resource: habana.ai/gaudi", ``},
		{"two GPUs", "m.py", "m.py\n    gpu: {count: 2}", ``},
		{"a GPU as a list", "m.py", "m.py\n    gpu: [nvidia.com/gpu]", `krt.yml:9:5: node "etl": gpu must be true or false, not a list`},
		{"a GPU that is none", "m.py", "m.py\n    gpu: {resource: gpu}",
			`krt.yml:9:21: node "etl": gpu.resource: "gpu" is not a GPU; use a resource such as nvidia.com/gpu or nvidia.com/mig-1g.10gb`},
		{"a GPU of Kubernetes", "m.py", "m.py\n    gpu: {resource: x.kubernetes.io/gpu}",
			`krt.yml:9:21: node "etl": gpu.resource: "x.kubernetes.io/gpu" is not a GPU`},
		{"no GPU at all", "m.py", "m.py\n    gpu: {count: 0}", `krt.yml:9:18: node "etl": gpu.count must be between 1 and 64`},
		{"half a GPU", "m.py", "m.py\n    gpu: {count: 0.5}", `krt.yml:9:18: node "etl": gpu.count must be a whole number, not a number`},
		{"unknown key of gpu", "m.py", "m.py\n    gpu: {resources: nvidia.com/gpu}",
			`krt.yml:9:11: warning: node "etl": unknown key "resources"; did you mean "resource"?`},
		{"a GPU twice", "m.py", "m.py\n    gpu: {resource: amd.com/gpu}\n    resources: {limits: {amd.com/gpu: 1}}",
			`krt.yml:10:39: node "etl": resources.limits: amd.com/gpu is what gpu asks for; remove it here`},
		{"half a device", "m.py", "m.py\n    resources: {limits: {rdma/hca: 500m}}",
			`krt.yml:9:36: node "etl": rdma/hca must be a whole number, not "500m": Kubernetes does not divide such a resource`},
		{"a device without a limit", "m.py", "m.py\n    resources: {requests: {rdma/hca: 1}}",
			`krt.yml:9:38: node "etl": rdma/hca is in requests only; set it in limits, and leave it out of requests`},
		{"more devices than requested", "m.py", "m.py\n    resources: {requests: {rdma/hca: 1}, limits: {rdma/hca: 2}}",
			`krt.yml:9:61: node "etl": rdma/hca: the limit "2" is not the request "1"; set the limit only`},
		{"patience", "m.py", "m.py\n    scale: {keep: 15m, startTimeout: 30m}", ``},
		{"a pod that is kept for too long", "m.py", "m.py\n    scale: {keep: 2h}",
			`krt.yml:9:19: node "etl": scale.keep must be between 1ms and 3600s`},
		{"a start for days", "m.py", "m.py\n    scale: {startTimeout: 25h}",
			`krt.yml:9:27: node "etl": scale.startTimeout must be between 1ms and 86400s`},
		{"replicas below 0", "m.py", "m.py\n    replicas: -1", `krt.yml:9:15: node "etl": replicas must be between 0 and 1000`},
		{"replicas with a fraction", "m.py", "m.py\n    replicas: 2.0",
			`krt.yml:9:15: node "etl": replicas must be a whole number, not a number`},
		{"replicas in another base", "m.py", "m.py\n    replicas: 0x10", ""},
		{"replicas a number too large", "m.py", "m.py\n    replicas: 99999999999999999999999", `krt.yml:9:15: node "etl": replicas must be`},
		{"workers", "m.py", "m.py\n    workers: 0", `krt.yml:9:14: node "etl": workers must be between 1 and 256`},
		{"too many workers", "m.py", "m.py\n    workers: 257", `krt.yml:9:14: node "etl": workers must be between 1 and 256`},
		{"fork as text", "m.py", "m.py\n    fork: never", `krt.yml:9:11: node "etl": fork must be true or false, not text`},
		{"fork with a GPU", "m.py", "m.py\n    fork: true\n    gpu: true",
			`krt.yml:9:11: warning: node "etl": fork has no effect on a node with a GPU`},
		{"fork of a Go node", "m.py", "bin/etl\n    fork: true",
			`krt.yml:9:11: warning: node "etl": fork has no effect: only the workers of a Python node can be forked`},
		{"scale max below min", "m.py", "m.py\n    scale: {min: 3, max: 2}",
			`krt.yml:9:26: node "etl": scale.max is 2, below the minimum of 3 pods`},
		{"scale min and replicas", "m.py", "m.py\n    replicas: 1\n    scale: {min: 3}",
			`krt.yml:10:18: node "etl": scale.min is 3 and replicas is 1`},
		{"scale unknown key", "m.py", "m.py\n    scale: {mim: 3}", `krt.yml:9:13: warning: node "etl": unknown key "mim"; did you mean "min"?`},
		{"quantity", "m.py", "m.py\n    resources: {limits: {memory: 2 GB}}",
			`krt.yml:9:34: node "etl": resources.limits: memory must be a quantity such as "500m" or "2Gi", not "2 GB"`},
		{"resource", "m.py", "m.py\n    resources: {limits: {ram: 2Gi}}", `krt.yml:9:31: node "etl": resources.limits: "ram" is not a resource`},
		{"timeout without a unit", "m.py", "m.py\n    timeout: 30",
			`krt.yml:9:14: node "etl": timeout must be a duration such as "30s" or "2m", not "30"`},
		{"background timeout", "proto: p.proto", "proto: p.proto\n  backgroundTimeout: 2m", ""},
		{"background timeout too long", "proto: p.proto", "proto: p.proto\n  backgroundTimeout: 25h",
			`krt.yml:5:22: entrypoint.backgroundTimeout must be between 1ms and 86400s`},
		{"without warming up", "proto: p.proto", "proto: p.proto\n  warmUp: false", ""},
		{"warming up by a word", "proto: p.proto", "proto: p.proto\n  warmUp: maybe",
			`krt.yml:5:11: entrypoint.warmUp must be true or false, not`},
		{"background timeout above Knative's bound", "proto: p.proto", "proto: p.proto\n  backgroundTimeout: 1h",
			`krt.yml:5:22: note: on a cluster, Knative ends each call of a node after 600s`},
		{"inspect", "proto: p.proto", "proto: p.proto\n  inspect: {share: 5, payloadBytes: 64Ki, redact: [card.number]}", ""},
		{"inspect with numbers", "proto: p.proto", "proto: p.proto\n  inspect: {payloadBytes: 1048576}", ""},
		{"inspect with nothing", "proto: p.proto", "proto: p.proto\n  inspect: {}", ""},
		{"inspect is text", "proto: p.proto", "proto: p.proto\n  inspect: on", `krt.yml:5:12: entrypoint.inspect must be a map, not text`},
		{"unknown key of inspect", "proto: p.proto", "proto: p.proto\n  inspect: {shares: 5}",
			`krt.yml:5:13: warning: unknown key "shares"; did you mean "share"?`},
		{"inspect below the top", "description: d", "description: d\ninspect: {}",
			`krt.yml:3:1: warning: unknown key "inspect"; it belongs under entrypoint`},
		{"share too high", "proto: p.proto", "proto: p.proto\n  inspect: {share: 101}",
			`krt.yml:5:20: entrypoint.inspect.share must be between 0 and 100`},
		{"payload too large", "proto: p.proto", "proto: p.proto\n  inspect: {payloadBytes: 2Mi}",
			`krt.yml:5:27: entrypoint.inspect.payloadBytes is "2Mi"; it must be a number of bytes from 1Ki to 1Mi, such as 64Ki`},
		{"payload too small", "proto: p.proto", "proto: p.proto\n  inspect: {payloadBytes: 64}",
			`krt.yml:5:27: entrypoint.inspect.payloadBytes is "64"; it must be`},
		{"redact is not a path", "proto: p.proto", "proto: p.proto\n  inspect: {redact: [a, 'card number']}",
			`krt.yml:5:25: entrypoint.inspect.redact[1] is "card number"; it must be the path of a field, such as card.number`},
		{"redact twice", "proto: p.proto", "proto: p.proto\n  inspect: {redact: [a, a]}",
			`krt.yml:5:25: entrypoint.inspect.redact[1] is "a", which is in the list twice`},
		{"too many to redact", "proto: p.proto", "proto: p.proto\n  inspect: {redact: [" + strings.Repeat("a, ", 65) + "]}",
			`entrypoint.inspect.redact has 65 elements; at most 64 are allowed`},
		{"timeout too long", "m.py", "m.py\n    timeout: 1h", `krt.yml:9:14: node "etl": timeout must be between 1ms and 590s`},
		{"env reserved", "m.py", "m.py\n    env: {KRT_VERSION: x}",
			`krt.yml:9:24: node "etl": environment variable "KRT_VERSION" is reserved for the platform; choose another name`},
		{"env that is a key", "m.py", "m.py\n    env: {KRT_FORK: never}",
			`krt.yml:9:21: node "etl": environment variable KRT_FORK is set by the platform: use the node's key fork instead`},
		{"env as a list", "m.py", "m.py\n    env: [{name: A, value: 1}, {name: A, value: 2}]",
			`krt.yml:9:32: node "etl": environment variable "A" is set twice`},
		{"env name", "m.py", "m.py\n    env: {a-b: x}", `krt.yml:9:16: node "etl": environment variable "a-b" may contain only letters`},
		{"variable also in env", "m.py", "m.py\n    env: {CURRENCY: x}\nconfig: {variables: [CURRENCY]}",
			`krt.yml:9:21: node "etl": environment variable "CURRENCY" is also a config variable; declare it only once`},
		{"config variable lower case", "workflows:", "config: {variables: [Currency]}\nworkflows:",
			`krt.yml:9:22: config variable "Currency" may contain only A to Z`},
		{"config variable reserved", "workflows:", "config: {variables: [PYTHONPATH]}\nworkflows:",
			`krt.yml:9:22: config variable "PYTHONPATH" is reserved for the platform`},
		{"config file reserved", "workflows:", "config: {files: [HOME]}\nworkflows:",
			`krt.yml:9:18: config variable "HOME" is reserved for the platform`},
		{"config variable twice", "workflows:", "config: {variables: [A], files: [A]}\nworkflows:",
			`krt.yml:9:34: config variable "A" is declared twice; the first is config.variables[0]`},
		{"unknown key", "description: d", "description: d\ndescripton: e",
			`krt.yml:3:1: warning: unknown key "descripton"; did you mean "description"?`},
		{"key of the entrypoint", "description: d", "description: d\nbackgroundTimeout: 1m",
			`krt.yml:3:1: warning: unknown key "backgroundTimeout"; it belongs under entrypoint`},
		{"key of config", "description: d", "description: d\nfiles: [A]", `krt.yml:3:1: warning: unknown key "files"; it belongs under config`},
		{"unknown key in a node", "m.py", "m.py\n    gup: true\n    imagee: x",
			`krt.yml:10:5: warning: node "etl": unknown key "imagee"; did you mean "image"?`},
		{"key twice", "description: d", "description: d\ndescription: e", `krt.yml:3:1: key "description" appears twice; the first is on line 2`},
		{"node is text", "workflows:", "  - etl2\nworkflows:", `krt.yml:9:5: nodes[1] must be a map, not text`},
		{"node is empty", "workflows:", "  -\nworkflows:", `nodes[1] is empty`},
		{"nodes is a map", "nodes:\n  - name: etl\n    image: kre-py:1\n    src: m.py\n", "nodes: {etl: m.py}\n",
			`krt.yml:5:1: nodes must be a list, not a map`},
		{"node twice", "workflows:", "  - {name: etl, image: kre-py:1, src: m.py}\nworkflows:",
			`krt.yml:9:12: node "etl": the name is used twice; the first is on line 6`},
		{"workflow twice", "[etl]", "[etl]\n  - {name: w, entrypoint: Di, sequential: [etl]}",
			`krt.yml:13:12: workflow "w": the name is used twice; the first is on line 10`},
		{"node in no workflow", "workflows:", "  - {name: e2, image: kre-py:1, src: m.py}\nworkflows:",
			`krt.yml:9:12: warning: node "e2": not used in any workflow`},
		{"alias without anchor", "m.py", "*nowhere", `krt.yml:8:10: alias *nowhere has no anchor &nowhere`},
		{"aliases and merges", "m.py", "&code m.py\n  - &base {name: b, image: kre-py:1, src: *code}\n  - {<<: *base, name: c}",
			`krt.yml:9:18: warning: node "b": not used in any workflow`},
		{"merge of a list", "m.py",
			"m.py\n  - &one {image: kre-py:1, src: a.py}\n  - &two {image: kre-py:2, src: b.py, name: b}\n  - {<<: [*one, *two], src: c.py}",
			`krt.yml:10:45: node "b": the name is used twice; the first is on line 10`},
		{"merge of text", "m.py", "m.py\n    <<: text", `krt.yml:9:5: << takes a map or a list of maps`},
		{"merge of a list with text", "description: d", "description: d\n<<: [{krtVersion: v1}, text]",
			`krt.yml:3:1: << takes a map or a list of maps`},
		{"merge twice", "description: d", "description: d\n<<: {krtVersion: v1}\n<<: {krtVersion: v1}",
			`krt.yml:4:1: << appears twice in one map`},
		{"unknown tag", "m.py", "!secret m.py", `krt.yml:8:10: tag "!secret" is not supported; write the value without it`},
		{"binary tag", "m.py", "!!binary bS5weQ==", `krt.yml:8:10: tag "!!binary" is not supported`},
		{"known tag", "m.py", "!!str m.py", ""},
		{"second document", "description: d", "description: d\n---\na: b", `krt.yml:4:1: a second YAML document begins`},
		{"syntax", "description: d", "description: [d", `krt.yml:3:1: not valid YAML: ',' or ']' must be specified`},
		{"tab", "  - name: etl", "\t- name: etl", `krt.yml:6:1: not valid YAML: `},
	}
}

func TestParseReportsEachMistake(t *testing.T) {
	for _, test := range mistakes() {
		t.Run(test.name, func(t *testing.T) {
			_, problems := parse(test.text(t))
			if test.want == "" {
				require.Empty(t, problems)
				return
			}
			require.NotEmpty(t, problems)
			require.Contains(t, strings.Join(problems, "\n"), test.want)
		})
	}
}

func TestParseReportsAllAtOnce(t *testing.T) {
	_, problems := parse(`version: Price Estimator
entrypoint:
  proto: ../p.proto
  proto: q.proto
nodes:
  - name: etl
    img: kre-py
    src: /m.py
  - name: entrypoint
    image: kre-py
    gpu: maybe
workflows:
  - entrypoint: Do
    sequential: [etll, etl, etl]
`)
	require.Equal(t, []string{
		`krt.yml:1:1: description is missing`,
		`krt.yml:1:10: version "Price Estimator" may contain only a to z, 0 to 9 and "-", and must ` +
			"begin with a letter and end with a letter or digit",
		`krt.yml:3:10: entrypoint.proto "../p.proto" is outside the bundle; move it into the bundle's folder`,
		`krt.yml:4:3: key "proto" appears twice; the first is on line 3`,
		`krt.yml:6:5: node "etl": image is missing: an image reference, or ko:// and a Go import path`,
		`krt.yml:7:5: warning: node "etl": unknown key "img"`,
		`krt.yml:8:10: node "etl": src "/m.py" is absolute; paths are relative to the bundle's root`,
		`krt.yml:9:5: node "entrypoint": src is missing: image "kre-py" does not contain a node's code`,
		`krt.yml:9:11: node "entrypoint": name "entrypoint" is reserved; choose another`,
		`krt.yml:11:10: node "entrypoint": gpu must be true or false, not text`,
		`krt.yml:13:5: workflows[0]: name is missing`,
		`krt.yml:14:18: workflows[0]: node "etll" is not declared; did you mean "etl"?`,
		`krt.yml:14:29: workflows[0]: node "etl" is listed twice; a workflow can have a node only once`,
	}, problems)
}

func TestParseHostileText(t *testing.T) {
	tar := strings.Repeat("x", 257) + "ustar\x0000" + strings.Repeat("\x00", 249)
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for i := range 20 {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", 'b'+i, 'b'+i, strings.Repeat(fmt.Sprintf("*%c,", 'a'+i), 9))
	}
	for _, test := range []struct{ name, text, want string }{
		{"empty", "", "krt.yml:1:1: the manifest is empty"},
		{"comments", "# nothing\n---\n", "krt.yml:1:1: the manifest is empty"},
		{"a list", "- a\n", "krt.yml:1:1: the manifest must be a map with version"},
		{"text", "hello", "krt.yml:1:1: the manifest must be a map with version"},
		{"tar", tar, "krt.yml:1:1: the manifest is a tar archive"},
		{"gzip", "\x1f\x8b\x08\x00", "krt.yml:1:1: the manifest is a gzip archive"},
		{"binary", "version: v1\nx: \xff\xfe", "krt.yml:2:1: the manifest is not UTF-8 text"},
		{"NUL", "version: v1\x00", "krt.yml:1:1: the manifest is not UTF-8 text"},
		{"UTF-16", "v\x00e\x00", "krt.yml:1:1: the manifest is not UTF-8 text"},
		{"huge", strings.Repeat("# comment\n", 1<<17), "krt.yml:1:1: the manifest is larger than 1048576 bytes"},
		{"too many values", strings.Repeat("- a\n", 1<<17), "the manifest has too many values"},
		{"deep flow", "a: " + strings.Repeat("[", 100_000), "krt.yml:1:35: lists and maps are nested deeper than 32"},
		{"deep list", strings.Repeat("- ", 100_000), "krt.yml:1:65: lists and maps are nested deeper than 32"},
		{"deep block", func() (s string) {
			for i := range 40 {
				s += strings.Repeat(" ", i) + "a:\n"
			}
			return s
		}(), "krt.yml:33:34: lists and maps are nested deeper than 32"},
		{"alias bomb", bomb + "nodes: *t\n", "description is missing"},
		{"alias of itself", "nodes: &a [*a]\nconfig: &c {variables: *c}", "nodes[0] must be a map, not a list"},
		{"merges of merges", func() string {
			text := "a: &m0 {" + strings.Repeat("k: 1, ", 2000) + "}\n"
			for i := range 4 {
				text += fmt.Sprintf("b%d: &m%d {<<: [%s]}\n", i, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*m%d, ", i), 1000), ", "))
			}
			return text + "nodes: [*m4]\n"
		}(), "more than 100000 values are merged (<<)"},
		{"merges of many empty maps", func() string {
			text := "a: &m0 {}\n"
			for i := range 3 {
				text += fmt.Sprintf("b%d: &m%d {<<: [%s]}\n", i, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*m%d, ", i), 900), ", "))
			}
			return text + "<<: *m3\n"
		}(), "more than 100000 values are merged (<<)"},
		{"many merges of one long list", func() string {
			text := "a: &m0 {}\nb: &l [" + strings.TrimSuffix(strings.Repeat("*m0, ", 3000), ", ") + "]\n"
			return text + "c: [" + strings.TrimSuffix(strings.Repeat("{<<: *l}, ", 1500), ", ") + "]\n"
		}(), "more than 100000 values are merged (<<)"},
		{"merges too deep", "a: &a {<<: {<<: {<<: {<<: {<<: {version: v1}}}}}}\n<<: *a\n", "merges (<<) are nested deeper than 4"},
		{"merge of itself", "nodes:\n - &a {<<: *a}\n", "nodes[0]: name is missing"},
		{"repeated keys", strings.Repeat("x: 1\n", 8000), "krt.yml: too many problems; the rest are not shown"},
		{"unknown keys, and those after them", func() (text string) {
			for i := range 202 {
				text += fmt.Sprintf("x%d: 1\n", i)
			}
			return text + minimal
		}(), "krt.yml: too many problems; the rest are not shown"},
		{"65 nodes", "nodes:\n" + strings.Repeat("- {}\n", 65), "krt.yml:66:3: nodes has 65 elements; at most 64 are allowed"},
		{"33 workflows", "workflows:\n" + strings.Repeat("- {}\n", 33), "krt.yml:34:3: workflows has 33 elements; at most 32 are allowed"},
		{"33 steps", "workflows:\n- sequential: [" + strings.Repeat("a,", 33) + "]",
			"workflows[0].sequential has 33 elements; at most 32 are allowed"},
		{"65 variables", "config: {variables: [" + strings.Repeat("A,", 65) + "]}", "config.variables has 65 elements; at most 64 are allowed"},
		{"65 files", "config: {files: [" + strings.Repeat("A,", 65) + "]}", "config.files has 65 elements; at most 64 are allowed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, problems := krt.Parse("krt.yml", []byte(test.text))
			require.True(t, problems.HasErrors())
			require.LessOrEqual(t, len(problems), 201)
			require.Contains(t, problems.Error(), test.want)
		})
	}
}

func TestParseByteOrderMark(t *testing.T) {
	_, problems := parse("\ufeff" + minimal)
	require.Empty(t, problems)
}

func FuzzManifest(f *testing.F) {
	f.Add(goodManifest)
	f.Add(minimal)
	f.Add("nodes: &a [*a]\nx: {<<: *a}\n? [a]\n: !!str 1\n--- |\n x")
	f.Add("version: |-\n  v1\ndescription: >\n  d\nentrypoint: {proto: 'a''b', image: \"\\u0041\"}")
	f.Add("krtVersion: v2\nversion: 1.0\nnodes: [{env: [{name: A, value: 1}]}]")
	f.Fuzz(func(t *testing.T, text string) {
		m, problems := krt.Parse("krt.yml", []byte(text))
		if m == nil && !problems.HasErrors() {
			t.Fatal("no manifest and no error")
		}
		lines := strings.Count(text, "\n") + strings.Count(text, "\r") + 1
		for _, p := range problems {
			if p.Text == "" || p.File == "" || p.Line < 0 || p.Line > lines {
				t.Fatalf("a problem without text or place: %+v of %d lines", p, lines)
			}
		}
	})
}

func TestTheEarlierOfMergedMapsHolds(t *testing.T) {
	m, _ := parse("a: &a {image: kre-py:1}\nb: &b {image: kre-py:2, src: m.py}\nnodes:\n- {<<: [*a, *b], name: etl}\n")
	require.Equal(t, []krt.Node{{Name: "etl", Image: "kre-py:1", Src: "m.py"}}, m.Nodes)
}
