// Package scaffold holds the files of a new version.
package scaffold

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"text/template"

	"golang.org/x/mod/modfile"
)

// SDK is the import path of the node SDK for Go.
const SDK = "krt.dev/kn-krt/pkg/runner"

// templates are below the languages' names, and below "both".
//
//go:embed all:templates
var templates embed.FS

// language is what the templates need to know of a node's language.
type language struct {
	title, image, source string
}

var languages = map[string]language{
	"go":     {title: "Go", image: "konstellation/kre-go:1.9.0", source: "src/greet"},
	"python": {title: "Python", image: "konstellation/kre-py:1.23.1", source: "src/greet/main.py"},
}

// Languages returns the languages that a new version's node can have.
func Languages() []string { return []string{"go", "python"} }

// Options describe the new version.
type Options struct {
	// Name is the version's name; it is not checked.
	Name string
	// Language is one of [Languages].
	Language string
	// Program is what the user types for kn-krt.
	Program string
	// SDKModule is the go.mod of the Go SDK, whose requirements a Go node has, too.
	SDKModule []byte
}

// data is what the templates see.
type data struct {
	Name, Program, Package, Title, Image, Source string
	Module, SDK, GoVersion, Protobuf, Genproto   string
}

// Write writes the files of a new version into the empty folder root, without the code
// that is generated from the proto.
func Write(root *os.Root, o Options) error {
	lang, ok := languages[o.Language]
	if !ok {
		return fmt.Errorf("unknown language %q: must be %s", o.Language, strings.Join(Languages(), " or "))
	}
	d := data{
		Name: o.Name, Program: o.Program, Title: lang.title, Image: lang.image, Source: lang.source,
		Package: strings.ReplaceAll(o.Name, "-", "_"),
		Module:  GoModule(o.Name), SDK: SDK,
	}
	if o.Language == "go" {
		if err := d.require(o.SDKModule); err != nil {
			return err
		}
	}
	for _, folder := range []string{"both", o.Language} {
		if err := d.writeAll(root, path.Join("templates", folder)); err != nil {
			return err
		}
	}
	return nil
}

// GoModule is the module path of a Go node of the version called name.
func GoModule(name string) string { return "example.com/" + name + "/greet" }

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
	t, err := template.New(path.Base(name)).Option("missingkey=error").Parse(string(source))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = t.Execute(&out, d)
	return out.Bytes(), err
}
