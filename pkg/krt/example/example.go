// Package example reads the requests that the author of a bundle wrote for people to start from:
// assets/examples/<workflow>.json.
package example

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"path"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"krt.dev/kn-krt/pkg/krt/untrusted"
	"krt.dev/kn-krt/pkg/schema"
)

// Folder is where a bundle has examples.
const Folder = "assets/examples"

// MaxBytes is how large an example may be: it is shown in forms, and is an argument of commands.
const MaxBytes = 64 << 10

// Is reports whether the path is that of an example.
func Is(name string) bool { return path.Dir(name) == Folder && path.Ext(name) == ".json" }

// Read returns the example of a workflow in one line; empty if the bundle has none, or one that is not
// JSON or has more than [MaxBytes].
func Read(bundle fs.FS, workflow string) string {
	text, err := untrusted.ReadFile(bundle, Folder+"/"+workflow+".json", MaxBytes+1)
	var line bytes.Buffer
	if err != nil || len(text) > MaxBytes || json.Compact(&line, text) != nil {
		return ""
	}
	return line.String()
}

// Of returns the example of a workflow whose requests are messages of the type m, or one made of the
// fields of m if the bundle has none that is such a message.
func Of(bundle fs.FS, workflow string, m protoreflect.MessageDescriptor) string {
	text := Read(bundle, workflow)
	if text == "" || protojson.Unmarshal([]byte(text), dynamicpb.NewMessage(m)) != nil {
		return schema.Example(m)
	}
	return text
}
