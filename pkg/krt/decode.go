package krt

import (
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// manifestKeys are the keys of the manifest's top level.
func manifestKeys() []string {
	return []string{"krtVersion", "version", "description", "entrypoint", "config", "nodes", "workflows"}
}

// Parse reads a manifest's text and checks all that can be checked without the bundle's
// files. The name, such as "krt.yml", goes into the problems. The manifest is nil when text
// is no YAML map of KRT V1 at all; otherwise it is what could be read of it.
func Parse(name string, text []byte) (*Manifest, Problems) {
	m, r := parse(name, text)
	r.problems.sort(name)
	return m, r.problems
}

func parse(name string, text []byte) (*Manifest, *reader) {
	r := &reader{file: name, places: map[string]place{}, labels: map[string]string{}, broken: map[string]bool{}, modules: map[string]bool{}}
	root, bad := readYAML(text)
	if bad != nil {
		r.places[""] = bad.place
		r.fail("", "%s", bad.text)
		return nil, r
	}
	r.anchors = anchors(root)
	r.places[""] = start(root)
	if r.unanchored(root) || r.checkSyntax(root) {
		return nil, r
	}
	if _, ok := r.pairs(root, maxMerges); !ok {
		r.fail("", "the manifest must be a map with version, description, entrypoint, nodes and workflows, not %s", kindOf(r.resolve(root)))
		return nil, r
	}
	// Another KRT has other keys: report that, and nothing that follows from it.
	if version := r.versionOf(root); version != "" && version != "v1" {
		r.fail("krtVersion", "krtVersion %.40q is not supported: kn-krt runs KRT V1; write the manifest with krtVersion: v1, "+
			"one entrypoint with its proto, and workflows with sequential lists of nodes", version)
		return nil, r
	}
	m := r.manifest(root)
	switch {
	case r.merged > maxMerged:
		r.fail("", "more than %d values are merged (<<)", maxMerged)
		return nil, r
	case r.tooDeep:
		r.fail("", "merges (<<) are nested deeper than %d", maxMerges)
	}
	r.check(m)
	return m, r
}

// unanchored reports aliases without an anchor.
func (r *reader) unanchored(root ast.Node) (found bool) {
	for _, n := range ast.Filter(ast.AliasType, root) {
		alias, ok := n.(*ast.AliasNode)
		if !ok || r.anchors[alias.Value.GetToken().Value] != nil {
			continue
		}
		at := start(alias)
		name := alias.Value.GetToken().Value
		r.add(Problem{File: r.file, Line: at.line, Column: at.column, Text: fmt.Sprintf("alias *%.40s has no anchor &%.40[1]s", name)}, "")
		found = true
	}
	return found
}

// versionOf returns the text of krtVersion and notes its place.
func (r *reader) versionOf(root ast.Node) string {
	found, _ := r.pairs(root, maxMerges)
	for _, p := range found {
		if text, ok := scalar(p.value); ok && p.key == "krtVersion" {
			r.places["krtVersion"] = start(p.value)
			return text
		}
	}
	return ""
}

func (r *reader) manifest(root ast.Node) *Manifest {
	top := r.fields(root, "", manifestKeys()...)
	m := &Manifest{
		KRTVersion:  r.text(top, "", "krtVersion", MaxName),
		Version:     r.text(top, "", "version", maxDescription),
		Description: r.text(top, "", "description", maxDescription),
	}
	entrypoint := r.fields(top["entrypoint"], "entrypoint", "proto", "image", "backgroundTimeout", "inspect")
	m.Entrypoint.Proto = cleaned(r.text(entrypoint, "entrypoint", "proto", maxPath))
	m.Entrypoint.Image = r.text(entrypoint, "entrypoint", "image", maxImage)
	m.Entrypoint.BackgroundTimeout = r.duration(entrypoint, "entrypoint", "backgroundTimeout", maxBackground)
	m.Entrypoint.Inspect = r.inspect(entrypoint["inspect"], "entrypoint.inspect")
	config := r.fields(top["config"], "config", "variables", "files")
	m.Config.Variables = r.texts(config, "config", "variables", MaxVariables)
	m.Config.Files = r.texts(config, "config", "files", MaxFiles)
	r.list(top, "", "nodes", MaxNodes, func(n ast.Node, at string) { m.Nodes = append(m.Nodes, r.node(n, at)) })
	r.list(top, "", "workflows", MaxWorkflows, func(n ast.Node, at string) { m.Workflows = append(m.Workflows, r.workflow(n, at)) })
	return m
}

func (r *reader) node(n ast.Node, at string) Node {
	values := r.fields(n, at, "name", "image", "src", "gpu", "replicas", "workers", "fork", "scale", "resources", "env", "timeout")
	return Node{
		Name:      r.text(values, at, "name", maxDescription),
		Image:     r.text(values, at, "image", maxImage),
		Src:       cleaned(r.text(values, at, "src", maxPath)),
		GPU:       r.boolean(values, at, "gpu"),
		Replicas:  r.integer(values, at, "replicas", 0, maxPods),
		Workers:   r.integer(values, at, "workers", 1, maxWorkers),
		Fork:      r.boolean(values, at, "fork"),
		Scale:     r.scale(values, at),
		Resources: r.resources(values, at),
		Env:       r.env(values, at),
		Timeout:   r.duration(values, at, "timeout", maxTimeout),
	}
}

func (r *reader) workflow(n ast.Node, at string) Workflow {
	values := r.fields(n, at, "name", "entrypoint", "sequential")
	w := Workflow{
		Name:       r.text(values, at, "name", maxDescription),
		Entrypoint: r.text(values, at, "entrypoint", maxRPC),
	}
	r.list(values, at, "sequential", MaxSteps, func(n ast.Node, step string) {
		w.Sequential = append(w.Sequential, r.scalar(n, step, maxDescription))
	})
	return w
}

func (r *reader) scale(values map[string]ast.Node, at string) *Scale {
	n, inside := values["scale"], at+".scale"
	if n == nil {
		return nil
	}
	scale := r.fields(n, inside, "min", "max", "target", "concurrency")
	return &Scale{
		Min:         r.integer(scale, inside, "min", 0, maxPods),
		Max:         r.integer(scale, inside, "max", 0, maxPods),
		Target:      r.integer(scale, inside, "target", 1, maxPods),
		Concurrency: r.integer(scale, inside, "concurrency", 0, maxPods),
	}
}

func (r *reader) resources(values map[string]ast.Node, at string) *Resources {
	n, inside := values["resources"], at+".resources"
	if n == nil {
		return nil
	}
	resources := r.fields(n, inside, "requests", "limits")
	return &Resources{
		Requests: r.textMap(resources, inside, "requests", MaxVariables),
		Limits:   r.textMap(resources, inside, "limits", MaxVariables),
	}
}

// env reads a map of names to values, or Kubernetes' list of {name, value}.
func (r *reader) env(values map[string]ast.Node, at string) map[string]string {
	n, inside := values["env"], at+".env"
	if _, isList := n.(*ast.SequenceNode); !isList {
		return r.textMap(values, at, "env", MaxVariables)
	}
	env := map[string]string{}
	r.list(values, at, "env", MaxVariables, func(n ast.Node, element string) {
		entry := r.fields(n, element, "name", "value")
		name := r.text(entry, element, "name", maxVariable)
		if _, twice := env[name]; twice {
			r.fail(element, "environment variable %.80q is set twice", name)
		}
		env[name] = r.text(entry, element, "value", maxValue)
		r.places[join(inside, name)] = r.place(element + ".name")
	})
	return env
}

func (r *reader) duration(values map[string]ast.Node, at, key string, most time.Duration) time.Duration {
	text := r.text(values, at, key, maxVariable)
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		r.field(at+"."+key, `must be a duration such as "30s" or "2m", not %.40q`, text)
	case d < time.Millisecond || d > most:
		r.field(at+"."+key, "must be between 1ms and %.0fs", most.Seconds())
	default:
		return d
	}
	return 0
}

// cleaned returns a path of the manifest in its shortest form: "./src/etl/" is "src/etl".
func cleaned(p string) string {
	if p == "" || strings.ContainsAny(p, "\\\x00") {
		return p
	}
	return path.Clean(p)
}
