// Package fieldpath finds fields of messages by paths such as "customer.card.number".
//
// A path matches wherever its names follow each other, at any depth: "card.number" is the
// number of every card. Names match as in the proto and as in JSON, so "card_number" is
// "cardNumber" too. Lists do not count; the keys of a map may be named or left out; the
// keys of a google.protobuf.Struct are names.
package fieldpath

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// Bounds of paths.
const (
	// MaxPaths is how many paths a [Set] has at most.
	MaxPaths = 64
	// MaxLength is the length of one path in bytes, maxNames how many names it has.
	MaxLength = 256
	maxNames  = 16
)

// pattern is what a path looks like; the CRD of versions has the same.
var pattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*([.][A-Za-z0-9_]+){0,15}$`)

// Pattern is the regular expression that paths match.
func Pattern() string { return pattern.String() }

// Check returns why path is not one. The text follows the path's name.
func Check(path string) error {
	if len(path) > MaxLength || !pattern.MatchString(path) {
		return fmt.Errorf("is %.80q; it must be the path of a field, such as card.number, of at most %d names and %d characters",
			path, maxNames, MaxLength)
	}
	return nil
}

// Set is a set of paths. It does not change and may be shared.
type Set struct{ paths [][]string }

// Parse returns the set of the given paths.
func Parse(paths []string) (*Set, error) {
	if len(paths) > MaxPaths {
		return nil, fmt.Errorf("there are %d paths of fields; at most %d are allowed", len(paths), MaxPaths)
	}
	s := &Set{}
	for i, path := range paths {
		if err := Check(path); err != nil {
			return nil, fmt.Errorf("path %d %w", i+1, err)
		}
		s.paths = append(s.paths, split(path))
	}
	return s, nil
}

// Empty reports whether s has no paths.
func (s *Set) Empty() bool { return len(s.paths) == 0 }

// State is a place in a message: how far the paths of a [Set] match there. The zero value
// is the message itself.
type State []mark

// mark is a path of which the first names match.
type mark struct{ path, names int }

// EnterField is [Set.Enter] for a field of a message, by its name in the proto and in JSON.
func (s *Set) EnterField(at State, f protoreflect.FieldDescriptor) (in State, whole bool) {
	return s.Enter(at, string(f.Name()), f.JSONName())
}

// Enter returns the state in the field of that name, or of one of several, and whether a path
// ends there, so that it matches the field as a whole.
func (s *Set) Enter(at State, names ...string) (in State, whole bool) {
	step := func(m mark) {
		if !slices.ContainsFunc(names, func(name string) bool { return fold(name) == s.paths[m.path][m.names] }) {
			return
		}
		if m.names++; m.names == len(s.paths[m.path]) {
			whole = true
			return
		}
		in = append(in, m)
	}
	for _, m := range at {
		step(m)
	}
	for i := range s.paths {
		step(mark{path: i})
	}
	return in, whole
}

// EnterKey is Enter for the key of a map, which a path may leave out.
func (s *Set) EnterKey(at State, key string) (in State, whole bool) {
	in, whole = s.Enter(at, key)
	for _, m := range at {
		if !slices.Contains(in, m) {
			in = append(in, m)
		}
	}
	return in, whole
}

// Exists reports whether the path matches in a message of the given files. What the files
// do not say, such as the keys of a map or of a google.protobuf.Struct, may be anything.
func Exists(path string, files *protoregistry.Files) (found bool) {
	names := split(path)
	files.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		found = file.Package() != "google.protobuf" && inMessages(file.Messages(), names)
		return !found
	})
	return found
}

func inMessages(messages protoreflect.MessageDescriptors, names []string) bool {
	for i := range messages.Len() {
		if m := messages.Get(i); inMessage(m, names) || inMessages(m.Messages(), names) {
			return true
		}
	}
	return false
}

// inMessage reports whether names match from m on.
func inMessage(m protoreflect.MessageDescriptor, names []string) bool {
	switch {
	case len(names) == 0 || m.IsMapEntry():
		return false
	case Dynamic(m.FullName()):
		return true
	}
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		named := fold(string(f.Name())) == names[0] || fold(f.JSONName()) == names[0]
		if named && (len(names) == 1 || inField(f, names[1:])) {
			return true
		}
	}
	return false
}

// inField reports whether names match within f.
func inField(f protoreflect.FieldDescriptor, names []string) bool {
	if !f.IsMap() {
		return f.Message() != nil && inMessage(f.Message(), names)
	}
	if len(names) == 1 { // a key
		return true
	}
	value := f.MapValue().Message()
	return value != nil && (inMessage(value, names) || inMessage(value, names[1:]))
}

// Dynamic reports whether messages of that full name hold values of any form.
func Dynamic(name protoreflect.FullName) bool {
	switch name {
	case "google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue", "google.protobuf.Any":
		return true
	}
	return false
}

func split(path string) []string {
	names := strings.Split(path, ".")
	for i, name := range names {
		names[i] = fold(name)
	}
	return names
}

// fold makes the names of a field in a proto and in JSON equal.
func fold(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }
