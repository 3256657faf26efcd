package krt

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/mod/module"

	"krt.dev/kn-krt/pkg/krt/spelling"
)

// notImage is the error of a text that is not an image reference.
const notImage = " is not an image reference such as konstellation/kre-py:1.23.1"

// KoPrefix begins an image that is built from a Go import path.
const KoPrefix = "ko://"

// check reports what is wrong with m, the bundle's files aside.
func (r *reader) check(m *Manifest) {
	if r.name("version", m.Version, reservedVersions) && m.Version[0] >= '0' && m.Version[0] <= '9' {
		r.fail("version", "version %q begins with a digit: KRT allows that, but a Kubernetes Service cannot have such a name; begin it with a "+
			"letter", m.Version)
	}
	if m.Description == "" {
		r.require("description", "")
	}
	r.checkEntrypoint(m.Entrypoint)
	r.checkConfig(m.Config)
	r.checkNodes(m)
	r.checkWorkflows(m)
}

// require reports that the field at path is missing or empty, unless it, or the map it belongs into,
// was there and wrong.
func (r *reader) require(path, hint string) {
	if parent := path[:max(0, strings.LastIndexByte(path, '.'))]; !r.broken[parent] && !r.reported(path) {
		what := "missing"
		if _, there := r.places[path]; there {
			what = "empty"
		}
		r.field(path, "is %s%s", what, hint)
	}
}

// reported returns whether there is an error at the exact place of path already.
func (r *reader) reported(path string) bool {
	at, ok := r.places[path]
	return ok && slices.ContainsFunc(r.problems, func(p Problem) bool {
		return !p.Warning && p.Line == at.line && p.Column == at.column
	})
}

// name checks a name by the rules for versions, nodes and workflows, and returns whether it is valid.
// reserved may be nil.
func (r *reader) name(path, name string, reserved *regexp.Regexp) bool {
	_, field := r.subject(path)
	what := field
	switch length := utf8.RuneCountInString(name); {
	case name == "":
		r.require(path, "")
	case length > MaxName:
		r.fail(path, "%s %.80q is %d characters long; at most %d are allowed", what, name, length, MaxName)
	case !namePattern.MatchString(name):
		ends := "begin and end with a letter or digit"
		if path == "version" {
			ends = "begin with a letter and end with a letter or digit"
		}
		r.fail(path, `%s %.80q may contain only a to z, 0 to 9 and "-", and must %s`, what, name, ends)
	case reserved != nil && reserved.MatchString(name):
		r.fail(path, "%s %q is reserved; choose another", what, name)
	default:
		return true
	}
	return false
}

func (r *reader) checkEntrypoint(e Entrypoint) {
	switch {
	case e.Proto == "":
		r.require("entrypoint.proto", ": the path of the public proto in the bundle")
	case !r.inside("entrypoint.proto", e.Proto):
	case path.Ext(e.Proto) != ".proto":
		r.field("entrypoint.proto", "is %.80q; it must end in .proto", e.Proto)
	}
	if e.BackgroundTimeout > maxRevision {
		r.add(Problem{Warning: true, Note: true, Text: "on a cluster, Knative ends each call of a node after 600s, " +
			"unless the setting revision-timeout allows more or the entrypoint calls the node's only pod directly"}, "entrypoint.backgroundTimeout")
	}
	if e.Image != "" {
		if !imagePattern.MatchString(e.Image) {
			r.field("entrypoint.image", "%.80q"+notImage, e.Image)
			return
		}
		r.add(Problem{Warning: true, Note: true, Text: "entrypoint.image is ignored: kn-krt runs its own entrypoint"}, "entrypoint.image")
	}
}

// inside reports a path that is outside the bundle, and returns whether it is inside.
func (r *reader) inside(at, p string) bool {
	switch {
	case path.IsAbs(p):
		r.field(at, "%.80q is absolute; paths are relative to the bundle's root", p)
	case p == ".." || strings.HasPrefix(p, "../"):
		r.field(at, "%.80q is outside the bundle; move it into the bundle's folder", p)
	case !fs.ValidPath(p) || strings.ContainsAny(p, "\\\x00"):
		r.field(at, "%.80q is not a valid path; write it with slashes, relative to the bundle's root", p)
	default:
		return true
	}
	return false
}

func (r *reader) checkConfig(c Config) {
	seen := map[string]string{}
	for _, list := range []struct {
		path  string
		names []string
	}{{"config.variables", c.Variables}, {"config.files", c.Files}} {
		for i, name := range list.names {
			at := fmt.Sprintf("%s[%d]", list.path, i)
			switch first, twice := seen[name]; {
			case name == "":
				r.require(at, "")
			case twice:
				r.fail(at, "config variable %.80q is declared twice; the first is %s", name, first)
			case !variablePattern.MatchString(name):
				r.fail(at, `config variable %.80q may contain only A to Z, 0 to 9 and "_", and must begin and end with a letter or digit`, name)
			case reservedVariables.MatchString(name):
				r.fail(at, "config variable %.80q is reserved for the platform; choose another name", name)
			}
			if seen[name] == "" {
				seen[name] = at
			}
		}
	}
}

func (r *reader) checkWorkflows(m *Manifest) {
	if len(m.Workflows) == 0 {
		r.require("workflows", ": a version needs at least one")
	}
	var nodes []string
	for _, n := range m.Nodes {
		nodes = append(nodes, n.Name)
	}
	first := map[string]string{}
	for i, w := range m.Workflows {
		at := fmt.Sprintf("workflows[%d]", i)
		r.name(at+".name", w.Name, nil)
		if w.Name != "" && first[w.Name] != "" {
			r.fail(at+".name", "the name is used twice; the first is on line %d", r.place(first[w.Name]+".name").line)
		} else {
			first[w.Name] = at
		}
		if w.Entrypoint == "" {
			r.require(at+".entrypoint", ": the rpc that calls the workflow")
		}
		r.checkSteps(at+".sequential", w.Sequential, nodes)
	}
}

func (r *reader) checkSteps(at string, steps, nodes []string) {
	if len(steps) == 0 {
		r.require(at, ": a workflow needs at least one node")
	}
	for i, step := range steps {
		place := fmt.Sprintf("%s[%d]", at, i)
		switch {
		case step == "":
			r.require(place, "")
		case !slices.Contains(nodes, step):
			r.fail(place, "node %.80q is not declared%s", step, spelling.Hint(step, nodes))
		case slices.Contains(steps[:i], step):
			r.fail(place, "node %.80q is listed twice; a workflow can have a node only once", step)
		}
	}
}

// image checks a node's image and returns whether it is built from an import path.
func (r *reader) image(at, image string) (ko bool) {
	importPath, ko := strings.CutPrefix(image, KoPrefix)
	switch {
	case image == "":
		r.require(at, ": an image reference, or ko:// and a Go import path")
	case ko:
		if err := module.CheckImportPath(importPath); err != nil {
			r.field(at, "%.80q must have a Go import path after ko://", image)
		}
	case !imagePattern.MatchString(image):
		r.field(at, "%.80q"+notImage, image)
	}
	return ko
}
