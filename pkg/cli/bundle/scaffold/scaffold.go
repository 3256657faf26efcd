// Package scaffold holds the files of a new version.
package scaffold

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	gotemplate "text/template"

	"golang.org/x/mod/modfile"
)

// SDK is the import path of the node SDK for Go.
const SDK = "krt.dev/kn-krt/pkg/runner"

// SchemaFile is where the manifest of a new version names its JSON Schema for editors: a file in the
// bundle's folder, because it is there without a network, and has what this program accepts. It is never
// packed.
const SchemaFile = ".krt.schema.json"

// templates has a folder for each of what versions are made of.
//
//go:embed all:templates
var templates embed.FS

// template is a kind of new version.
type template struct {
	name    string
	folders []string // of templates
	about   string   // what the version has
	call    string   // arguments of invoke
	train   string   // a command; empty for none
	goNode  string   // the folder of its Go node; empty for none
	image   string   // of the node greet
	source  string
}

const greetAna = `greet -d '{"name": "Ana"}'`

func allTemplates() []template {
	return []template{
		{name: "go", folders: []string{"greet", "go"}, about: "one node in Go and one workflow, both called `greet`", call: greetAna,
			goNode: "greet", image: "konstellation/kre-go:1.9.0", source: "src/greet"},
		{name: "python", folders: []string{"greet", "python"}, about: "one node in Python and one workflow, both called `greet`",
			call: greetAna, image: "konstellation/kre-py:1.23.1", source: "src/greet/main.py"},
		{name: "python-go", folders: []string{"python-go"}, goNode: "finish", call: greetAna,
			about: "the workflow `greet` of two nodes: `compose` in Python, then `finish` in Go"},
		{name: "python-sklearn", folders: []string{"python-sklearn"}, train: "python3 src/model/train.py",
			call:  `classify -d '{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}'`,
			about: "a small model of scikit-learn in the node `model`, which the workflow `classify` calls"},
		{name: "python-llm-stream", folders: []string{"python-llm-stream"}, call: `complete -d '{"text": "The fox"}'`,
			about: "a small language model in the node `model`, whose words the workflow `complete` streams to the client"},
	}
}

// Languages returns the templates with one node that greets, which have the names of languages.
func Languages() []string { return []string{"go", "python"} }

// Templates returns the names of all kinds of new versions.
func Templates() []string {
	var names []string
	for _, t := range allTemplates() {
		names = append(names, t.name)
	}
	return names
}

// Options describe the new version.
type Options struct {
	// Name is the version's name; it is not checked.
	Name string
	// Template is one of [Templates].
	Template string
	// Program is what the user types for kn-krt.
	Program string
	// SDKModule is the go.mod of the Go SDK, whose requirements a Go node has, too.
	SDKModule []byte
	// Schema is the JSON Schema of manifests.
	Schema []byte
}

// data is what the templates see.
type data struct {
	Name, Version, Program, Package, Schema    string
	About, Call, Train, Image, Source          string
	Module, SDK, GoVersion, Protobuf, Genproto string
}

// Write writes the files of a new version into the empty folder root, without the code
// that is generated from the protos. It returns how to call the version, as arguments of invoke.
func Write(root *os.Root, o Options) (call string, err error) {
	all := allTemplates()
	at := slices.IndexFunc(all, func(t template) bool { return t.name == o.Template })
	if at < 0 {
		return "", fmt.Errorf("unknown template %q: must be one of %s", o.Template, strings.Join(Templates(), ", "))
	}
	t := all[at]
	d := data{
		Name: o.Name, Version: scalar(o.Name), Program: o.Program, About: t.about, Call: t.call, Train: t.train, Image: t.image, Source: t.source,
		Package: strings.ReplaceAll(o.Name, "-", "_"), Schema: SchemaFile, SDK: SDK,
	}
	if t.goNode != "" {
		d.Module = module(o.Name, t.goNode)
		if err := d.require(o.SDKModule); err != nil {
			return "", err
		}
	}
	for _, folder := range append([]string{"both"}, t.folders...) {
		if err := d.writeAll(root, path.Join("templates", folder)); err != nil {
			return "", err
		}
	}
	return t.call, root.WriteFile(SchemaFile, o.Schema, 0o644)
}

// module is the path of a Go node's module. Go imports nothing below an element "vendor".
func module(version, node string) string {
	if version == "vendor" {
		version = "version-vendor"
	}
	return "example.com/" + version + "/" + node
}

// scalar writes any text as YAML that means it, so that the manifest's rules see the whole name.
func scalar(name string) string {
	if name != "null" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" {
		return name
	}
	return strconv.Quote(name)
}

// require takes the versions that the SDK was tested with.
func (d *data) require(sdkModule []byte) error {
	mod, err := modfile.Parse("go.mod", sdkModule, nil)
	if err != nil {
		return fmt.Errorf("cannot read the SDK's go.mod: %w", err)
	}
	d.GoVersion = mod.Go.Version
	for _, r := range mod.Require {
		switch r.Mod.Path {
		case "google.golang.org/protobuf":
			d.Protobuf = r.Mod.Version
		case "google.golang.org/genproto/googleapis/rpc":
			d.Genproto = r.Mod.Version
		}
	}
	return nil
}

// writeAll writes the templates below folder, which becomes the root.
func (d *data) writeAll(root *os.Root, folder string) error {
	return fs.WalkDir(templates, folder, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := d.fill(name)
		if err != nil {
			return fmt.Errorf("cannot fill %s: %w", name, err)
		}
		to := strings.TrimSuffix(strings.TrimPrefix(name, folder+"/"), ".tmpl")
		if err := root.MkdirAll(path.Dir(to), 0o755); err != nil {
			return err
		}
		return root.WriteFile(to, text, 0o644)
	})
}

func (d *data) fill(name string) ([]byte, error) {
	source, err := templates.ReadFile(name)
	if err != nil {
		return nil, err
	}
	t, err := gotemplate.New(path.Base(name)).Option("missingkey=error").Parse(string(source))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = t.Execute(&out, d)
	return out.Bytes(), err
}
