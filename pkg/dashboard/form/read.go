package form

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Names of inputs: a letter and the path of the field, names and numbers with dots between.
const (
	inputValue   = "f:" // the text of a field
	inputPresent = "p:" // a message is present
	inputCount   = "n:" // how many elements a list has
	inputOneof   = "o:" // which field of a oneof is set
)

// reader reads what a browser has sent.
type reader struct {
	sent url.Values
	left int // fields that may still be read
}

// message reads the message at a path, "" for the whole.
func (r *reader) message(m protoreflect.MessageDescriptor, path string, depth int) *value {
	if isLeaf(m) {
		return &value{text: r.sent.Get(inputValue + path)}
	}
	v := &value{fields: map[string]*value{}}
	if depth >= MaxDepth {
		return v
	}
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		if r.left--; r.left < 0 {
			break
		}
		if o := oneofOf(f); o != nil && r.sent.Get(inputOneof+join(path, string(o.Name()))) != string(f.Name()) {
			continue
		}
		if read := r.field(f, join(path, string(f.Name())), depth); read != nil {
			v.fields[string(f.Name())] = read
		}
	}
	return v
}

// field reads a field; nil if it is not set.
func (r *reader) field(f protoreflect.FieldDescriptor, path string, depth int) *value {
	switch {
	case f.IsMap():
		return r.items(path, func(path string) *value {
			return &value{fields: map[string]*value{
				"key": r.one(f.MapKey(), join(path, "key"), depth), "value": r.one(f.MapValue(), join(path, "value"), depth),
			}}
		})
	case f.IsList():
		return r.items(path, func(path string) *value { return r.one(f, path, depth) })
	case isMessage(f) && oneofOf(f) == nil && !r.sent.Has(inputPresent+path):
		return nil
	}
	return r.one(f, path, depth)
}

func (r *reader) items(path string, one func(path string) *value) *value {
	count, err := strconv.Atoi(r.sent.Get(inputCount + path))
	if err != nil || count <= 0 {
		return nil
	}
	v := &value{}
	for i := range min(count, MaxItems) {
		if r.left--; r.left < 0 {
			break
		}
		v.items = append(v.items, one(join(path, strconv.Itoa(i))))
	}
	return v
}

func (r *reader) one(f protoreflect.FieldDescriptor, path string, depth int) *value {
	if f.Message() != nil {
		return r.message(f.Message(), path, depth+1)
	}
	return &value{text: r.sent.Get(inputValue + path)}
}

// isMessage reports whether the field is a message with fields of its own.
func isMessage(f protoreflect.FieldDescriptor) bool {
	return f.Message() != nil && !isLeaf(f.Message())
}

// oneofOf is the oneof that the field is in; nil also for an optional field.
func oneofOf(f protoreflect.FieldDescriptor) protoreflect.OneofDescriptor {
	if o := f.ContainingOneof(); o != nil && !o.IsSynthetic() {
		return o
	}
	return nil
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// Change does what a button of the form asks for: "add:PATH" adds a message or an element to a
// list, "remove:PATH" removes one. What is not there, or beyond the bounds, changes nothing.
func (f *Form) Change(order string) {
	verb, path, _ := strings.Cut(order, ":")
	f.root.change(f.message, verb, strings.Split(path, "."))
}

func (v *value) change(m protoreflect.MessageDescriptor, verb string, path []string) {
	if m == nil || v == nil || v.fields == nil || len(path) == 0 {
		return
	}
	f := m.Fields().ByName(protoreflect.Name(path[0]))
	switch {
	case f == nil:
	case f.IsList() || f.IsMap():
		v.changeList(f, verb, path[1:])
	case len(path) > 1:
		v.fields[path[0]].change(f.Message(), verb, path[1:])
	case verb == "remove":
		delete(v.fields, path[0])
	case verb == "add" && isMessage(f):
		v.fields[path[0]] = &value{fields: map[string]*value{}}
	}
}

// changeList changes a list or a map; path begins with the number of an element, or is the list's.
func (v *value) changeList(f protoreflect.FieldDescriptor, verb string, path []string) {
	list := v.fields[string(f.Name())]
	if list == nil {
		list = &value{}
		v.fields[string(f.Name())] = list
	}
	if len(path) == 0 {
		if verb == "add" && len(list.items) < MaxItems {
			list.items = append(list.items, empty(f))
		}
		return
	}
	i, err := strconv.Atoi(path[0])
	if err != nil || i < 0 || i >= len(list.items) {
		return
	}
	if len(path) > 1 {
		list.items[i].change(f.Message(), verb, path[1:]) // of a map it is the entry's: key and value
	} else if verb == "remove" {
		list.items = slices.Delete(list.items, i, i+1)
	}
}

// empty is a new element of a list or a map.
func empty(f protoreflect.FieldDescriptor) *value {
	one := func(f protoreflect.FieldDescriptor) *value {
		if isMessage(f) {
			return &value{fields: map[string]*value{}}
		}
		return &value{}
	}
	if f.IsMap() {
		return &value{fields: map[string]*value{"key": {}, "value": one(f.MapValue())}}
	}
	return one(f)
}
