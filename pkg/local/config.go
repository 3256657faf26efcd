package local

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/krt/spelling"
)

// Config is where the values of a version's config variables and files come
// from. No value is ever logged or put on a command line.
type Config struct {
	// Set gives values by name; it has precedence over EnvFiles.
	Set map[string]string
	// EnvFiles are the paths of files of NAME=VALUE lines, which have precedence over
	// the environment; of two with one name the later one holds.
	EnvFiles []string
	// Files gives, by name of a config file, the path of a file with its content.
	Files map[string]string
}

// MissingConfigError says which config variables and files of a version have no
// value. KRT V1: all are mandatory at start.
type MissingConfigError struct {
	Variables []string
	Files     []string
	// Empty are those of Variables whose value is given and empty.
	Empty []string
}

func (e *MissingConfigError) Error() string {
	var parts []string
	for _, kind := range []struct {
		singular string
		names    []string
	}{{"variable", e.Variables}, {"file", e.Files}} {
		switch len(kind.names) {
		case 0:
			continue
		case 1:
			parts = append(parts, "config "+kind.singular+" "+quoted(kind.names))
		default:
			parts = append(parts, "config "+kind.singular+"s "+quoted(kind.names))
		}
	}
	text := "no value for " + strings.Join(parts, " and ")
	switch len(e.Empty) {
	case 0:
		return text
	case 1:
		return text + ": " + quoted(e.Empty) + " is empty"
	}
	return text + ": " + quoted(e.Empty) + " are empty"
}

// FileConfigError says that the value of a config file was given as that of a variable.
type FileConfigError struct{ Name string }

func (e *FileConfigError) Error() string {
	return fmt.Sprintf("config %q is a file: its value is the content of a file", e.Name)
}

func quoted(names []string) string {
	quotes := make([]string, len(names))
	for i, name := range names {
		quotes[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(quotes, ", ")
}

// values are a version's config, gathered.
type values struct {
	variables map[string]string
	files     map[string][]byte // content by name
}

// Given returns the values that c itself gives to the variables and files that are
// declared: content by name. A name that is not declared is an error; a name without
// a value is not, and an empty value counts as none.
func (c Config) Given(variables, files []string) (vars map[string]string, contents map[string][]byte, err error) {
	vars, contents, err = c.given(variables, files)
	maps.DeleteFunc(vars, func(_, value string) bool { return value == "" })
	return vars, contents, err
}

// given is Given, with "" for a variable whose value is empty.
func (c Config) given(variables, files []string) (vars map[string]string, contents map[string][]byte, err error) {
	if err := c.check(variables, files); err != nil {
		return nil, nil, err
	}
	fromFile, err := readEnvFiles(c.EnvFiles, variables)
	if err != nil {
		return nil, nil, err
	}
	vars, contents = map[string]string{}, map[string][]byte{}
	for _, name := range variables {
		set, isSet := c.Set[name]
		value, inFile := fromFile[name]
		if isSet || inFile {
			vars[name] = cmp.Or(set, value)
		}
	}
	for _, name := range files {
		path, ok := c.Files[name]
		if !ok {
			continue
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, nil, fmt.Errorf("cannot read config file %q: %w", name, err)
		}
		contents[name] = content
	}
	return vars, contents, nil
}

// gather finds a value for each name that the manifest declares. environment is
// what os.LookupEnv is. An empty value counts as none.
func (c Config) gather(variables, files []string, environment func(string) (string, bool)) (values, error) {
	vars, contents, err := c.given(variables, files)
	if err != nil {
		return values{}, err
	}
	missing := &MissingConfigError{}
	for _, name := range variables {
		if vars[name] != "" {
			continue
		}
		value, inEnvironment := environment(name)
		if value == "" {
			if _, given := vars[name]; given || inEnvironment {
				missing.Empty = append(missing.Empty, name)
			}
			missing.Variables = append(missing.Variables, name)
			continue
		}
		vars[name] = value
	}
	for _, name := range files {
		if _, ok := contents[name]; !ok {
			missing.Files = append(missing.Files, name)
		}
	}
	v := values{variables: vars, files: contents}
	if len(missing.Variables)+len(missing.Files) > 0 {
		return v, missing
	}
	return v, nil
}

// check refuses names that the manifest does not declare.
func (c Config) check(variables, files []string) error {
	var errs []error
	for _, name := range sortedKeys(c.Set) {
		switch {
		case slices.Contains(variables, name):
		case slices.Contains(files, name):
			errs = append(errs, &FileConfigError{name})
		default:
			errs = append(errs, unknownConfig("variable", name, variables))
		}
	}
	for _, name := range sortedKeys(c.Files) {
		switch {
		case slices.Contains(files, name):
		case slices.Contains(variables, name):
			errs = append(errs, fmt.Errorf("config %q is a variable, not a file", name))
		default:
			errs = append(errs, unknownConfig("file", name, files))
		}
	}
	return errors.Join(errs...)
}

func unknownConfig(kind, name string, known []string) error {
	hint := spelling.Hint(name, known)
	switch {
	case hint != "":
	case len(known) == 0:
		hint = "; the manifest declares none"
	default:
		hint = "; the manifest declares " + quoted(known)
	}
	return fmt.Errorf("config %s %q is not declared in the manifest%s", kind, name, hint)
}

// checkFiles refuses a config file whose content a node gets as the value of a variable,
// and cannot.
func (v values) checkFiles(nodes []krt.Node) error {
	at := slices.IndexFunc(nodes, krt.Node.FileContent)
	if at < 0 {
		return nil
	}
	for _, name := range sortedKeys(v.files) {
		if err := krt.CheckVariable(name, string(v.files[name])); err != nil {
			return fmt.Errorf("config file %q: node %q gets its content as $%s, because its image is %s: %w",
				name, nodes[at].Name, name, nodes[at].Image, err)
		}
	}
	return nil
}

// writeFiles writes the config files' content to folder, readable by this user
// only, and returns the path of each by name.
func (v values) writeFiles(folder string) (map[string]string, error) {
	paths := map[string]string{}
	for name, content := range v.files {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return nil, fmt.Errorf("cannot write config file %q: %w", name, err)
		}
		paths[name] = path
	}
	return paths, nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
