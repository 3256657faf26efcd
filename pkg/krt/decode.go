package krt

import (
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

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
	top := r.object(root, "", Form())
	m := &Manifest{
		KRTVersion:  top.text("krtVersion"),
		Version:     top.text("version"),
		Description: top.text("description"),
	}
	entrypoint := top.object("entrypoint")
	m.Entrypoint.Proto = cleaned(entrypoint.text("proto"))
	m.Entrypoint.Image = entrypoint.text("image")
	m.Entrypoint.BackgroundTimeout = entrypoint.duration("backgroundTimeout")
	if entrypoint.values["warmUp"] != nil {
		m.Entrypoint.WarmUp = new(entrypoint.boolean("warmUp"))
	}
	m.Entrypoint.Inspect = entrypoint.inspect("inspect")
	config := top.object("config")
	m.Config.Variables = config.texts("variables")
	m.Config.Files = config.texts("files")
	top.list("nodes", func(n ast.Node, at string, form *Field) { m.Nodes = append(m.Nodes, r.node(r.object(n, at, form))) })
	top.list("workflows", func(n ast.Node, at string, form *Field) {
		w := r.object(n, at, form)
		m.Workflows = append(m.Workflows, Workflow{Name: w.text("name"), Entrypoint: w.text("entrypoint"), Sequential: w.texts("sequential")})
	})
	return m
}

func (r *reader) node(o object) Node {
	gpu, request := o.gpu("gpu")
	return Node{
		Name:  o.text("name"),
		Image: o.text("image"),
		Src:   cleaned(o.text("src")),
		GPU:   gpu, GPURequest: request,
		Replicas:  o.integer("replicas"),
		Workers:   o.integer("workers"),
		Fork:      o.boolean("fork"),
		Scale:     o.scale("scale"),
		Resources: o.resources("resources"),
		Env:       o.env("env"),
		Timeout:   o.duration("timeout"),
	}
}

// gpu reads true or false, or which GPUs are needed.
func (o object) gpu(key string) (needed bool, request *GPURequest) {
	n := o.values[key]
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		gpu := o.reader.object(n, o.at(key), o.form.find(key).Or)
		return true, &GPURequest{Resource: gpu.text("resource"), Count: gpu.integer("count")}
	}
	return o.boolean(key), nil
}

func (o object) scale(key string) *Scale {
	if o.values[key] == nil {
		return nil
	}
	scale := o.object(key)
	return &Scale{
		Min:         scale.integer("min"),
		Max:         scale.integer("max"),
		Target:      scale.integer("target"),
		Concurrency: scale.integer("concurrency"),
		Keep:        scale.duration("keep"), StartTimeout: scale.duration("startTimeout"),
	}
}

func (o object) resources(key string) *Resources {
	if o.values[key] == nil {
		return nil
	}
	resources := o.object(key)
	return &Resources{Requests: resources.textMap("requests"), Limits: resources.textMap("limits")}
}

// env reads a map of names to values, or Kubernetes' list of {name, value}.
func (o object) env(key string) map[string]string {
	if _, isList := o.values[key].(*ast.SequenceNode); !isList {
		return o.textMap(key)
	}
	r, inside, env := o.reader, o.at(key), map[string]string{}
	r.list(o.values[key], inside, o.form.find(key).Or, func(n ast.Node, element string, form *Field) {
		entry := r.object(n, element, form)
		name := entry.text("name")
		if _, twice := env[name]; twice {
			r.fail(element, "environment variable %.80q is set twice", name)
		}
		env[name] = entry.text("value")
		r.places[join(inside, name)] = r.place(element + ".name")
	})
	return env
}

func (o object) duration(key string) time.Duration {
	text, most := o.text(key), o.form.find(key).MaxDuration
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		o.reader.field(o.at(key), `must be a duration such as "30s" or "2m", not %.40q`, text)
	case d < time.Millisecond || d > most:
		o.reader.field(o.at(key), "must be between 1ms and %.0fs", most.Seconds())
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
