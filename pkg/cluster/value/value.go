// Package value checks config values of versions.
package value

import (
	"fmt"
	"slices"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/krt/configvalue"
	"krt.dev/kn-krt/pkg/krt/spelling"
)

// Error is why a config value cannot be set or unset.
type Error struct {
	// Name is the config variable or file.
	Name string
	// Variable is set if the value cannot be that of a variable; it could be that of a file.
	Variable bool

	text string
}

// Error names the variable or file, and never its value.
func (e *Error) Error() string { return e.text }

// Check refuses values that are set, by name of a declared variable or file, with
// which a node's container would not start: with a [*Error].
func Check(spec *v1alpha1.VersionSpec, set map[string][]byte) error {
	content := slices.IndexFunc(spec.Nodes, func(n v1alpha1.Node) bool { return n.ConfigFiles == v1alpha1.ConfigFilesContent })
	for _, name := range spec.Config.Variables {
		if err := krt.CheckVariable(name, string(set[name])); err != nil {
			return &Error{Name: name, Variable: true, text: fmt.Sprintf("config variable %q: %v", name, err)}
		}
	}
	for _, name := range spec.Config.Files {
		if content < 0 {
			break
		}
		if err := krt.CheckVariable(name, string(set[name])); err != nil {
			return &Error{Name: name, text: fmt.Sprintf("config file %q: node %q gets its content as $%s: %v",
				name, spec.Nodes[content].Name, name, err)}
		}
	}
	return nil
}

// CheckUnset refuses to unset what the version does not declare, what is set at the same
// time, and what a started version needs: with a [*Error].
func CheckUnset(v *v1alpha1.Version, set map[string][]byte, unset []string) error {
	known := slices.Concat(v.Spec.Config.Variables, v.Spec.Config.Files)
	for _, name := range unset {
		var text string
		_, both := set[name]
		switch {
		case both:
			text = fmt.Sprintf("cannot both set and unset %q", name)
		case !slices.Contains(known, name):
			text = fmt.Sprintf("version %q declares no config variable or file %q%s", v.Name, name, spelling.Hint(name, known))
		case v.WantedState() == v1alpha1.StateStarted:
			text = fmt.Sprintf("cannot unset %q: version %q is started and needs it", name, v.Name)
		default:
			continue
		}
		return &Error{Name: name, text: text}
	}
	return nil
}

// Entry is a config variable or file that a version declares.
type Entry struct {
	Name string
	// File is set for a file, and not for a variable.
	File bool
	// Set is whether it has a value, which is Value. An empty value of a variable is none.
	Set   bool
	Value []byte
}

// Entries are the variables, then the files that a version declares, with the values
// that [Client.ConfigValues] returned.
func Entries(declared v1alpha1.Config, values map[string][]byte) []Entry {
	var entries []Entry
	missing := Missing(declared, values)
	add := func(names, missing []string, file bool) {
		for _, name := range names {
			e := Entry{Name: name, File: file, Set: !slices.Contains(missing, name)}
			if e.Set {
				e.Value = values[name]
			}
			entries = append(entries, e)
		}
	}
	if missing == nil {
		missing = &configvalue.MissingError{}
	}
	add(declared.Variables, missing.Variables, false)
	add(declared.Files, missing.Files, true)
	return entries
}

// Missing returns what is declared and has no value among values; nil if nothing is.
func Missing(declared v1alpha1.Config, values map[string][]byte) *configvalue.MissingError {
	return configvalue.Missing(declared.Variables, declared.Files, values)
}
