package entrypoint

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
)

//go:embed page.html
var pageSource string

// page answers GET /: what the version offers and how to call it; as JSON for
// who asks for that.
func (e *Entrypoint) page(w http.ResponseWriter, r *http.Request) {
	t := e.table.Load()
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		body, err := protojson.Marshal(t.describe)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(append(body, '\n'))
		return
	}
	var out bytes.Buffer
	if err := e.pageTemplate.Execute(&out, t.pageView(r.Host)); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(out.Bytes())
}

func parsePage() (*template.Template, error) {
	return template.New("page").Parse(pageSource)
}

// pageView is what page.html shows.
type pageView struct {
	Name, Namespace, Description, Host string
	Workflows                          []workflowView
	Protos                             []string
}

type workflowView struct {
	Name, RPC, Path, Input, Output, Example string
	Nodes                                   []string
}

func (t *table) pageView(host string) pageView {
	v := pageView{
		Name: t.version.Name, Namespace: t.version.Namespace, Description: t.version.Description,
		Host: host, Protos: sortedKeys(t.version.Schema.Sources()),
	}
	for _, w := range t.version.Workflows {
		view := workflowView{
			Name: w.Name, Path: methodPath(w.Method), RPC: methodPath(w.Method)[1:],
			Input: string(w.Method.Input().FullName()), Output: string(w.Method.Output().FullName()),
			Example: Example(w.Method.Input()),
		}
		for _, s := range w.Steps {
			view.Nodes = append(view.Nodes, s.Node)
		}
		v.Workflows = append(v.Workflows, view)
	}
	return v
}

// Example returns a message of type m in JSON with a value in each field, for
// people to start from. Nested messages are shown two levels deep.
func Example(m protoreflect.MessageDescriptor) string {
	text, err := json.Marshal(example(m, 3))
	if err != nil {
		return "{}"
	}
	return string(text)
}

// ordered is a JSON object that keeps its fields in the proto's order.
type ordered []field

type field struct {
	name  string
	value any
}

// MarshalJSON implements json.Marshaler.
func (o ordered) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, f := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		value, err := json.Marshal(f.value)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%q:%s", f.name, value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func example(m protoreflect.MessageDescriptor, depth int) any {
	if value, ok := wellKnownExample(m); ok {
		return value
	}
	fields := m.Fields()
	out := ordered{}
	for i := range fields.Len() {
		f := fields.Get(i)
		oneof := f.ContainingOneof()
		if oneof != nil && oneof.Fields().Get(0) != f { // only one of them may be set
			continue
		}
		if f.Message() != nil && depth == 0 {
			continue
		}
		out = append(out, field{f.JSONName(), fieldExample(f, depth)})
	}
	return out
}

func fieldExample(f protoreflect.FieldDescriptor, depth int) any {
	switch {
	case f.IsMap():
		return map[string]any{mapKeyExample(f.MapKey()): valueExample(f.MapValue(), depth-1)}
	case f.IsList():
		return []any{valueExample(f, depth-1)}
	}
	return valueExample(f, depth-1)
}

func mapKeyExample(f protoreflect.FieldDescriptor) string {
	switch f.Kind() {
	case protoreflect.StringKind:
		return "key"
	case protoreflect.BoolKind:
		return "true"
	}
	return "1"
}

func valueExample(f protoreflect.FieldDescriptor, depth int) any {
	switch f.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		if depth < 0 {
			return ordered{}
		}
		return example(f.Message(), depth)
	case protoreflect.EnumKind:
		values := f.Enum().Values()
		return string(values.Get(min(1, values.Len()-1)).Name())
	case protoreflect.StringKind:
		return string(f.Name())
	case protoreflect.BytesKind:
		return "AA=="
	case protoreflect.BoolKind:
		return true
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return 1.5
	}
	return 1
}

// wellKnownExample covers messages whose JSON is no object of their fields.
func wellKnownExample(m protoreflect.MessageDescriptor) (any, bool) {
	switch m.FullName() {
	case "google.protobuf.Timestamp":
		return "2024-01-31T12:00:00Z", true
	case "google.protobuf.Duration":
		return "1.5s", true
	case "google.protobuf.FieldMask":
		return "name", true
	case "google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.Empty", "google.protobuf.Any":
		return map[string]any{}, true
	case "google.protobuf.ListValue":
		return []any{}, true
	case "google.protobuf.StringValue", "google.protobuf.BytesValue":
		return "text", true
	case "google.protobuf.BoolValue":
		return true, true
	}
	if m.FullName().Parent() == "google.protobuf" && strings.HasSuffix(string(m.Name()), "Value") {
		return 1, true
	}
	return nil, false
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
