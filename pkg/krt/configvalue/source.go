// Package configvalue finds the values of a version's config variables and files,
// and says which are missing. No value is ever logged or put into an error.
package configvalue

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"krt.dev/kn-krt/pkg/krt/spelling"
	"krt.dev/kn-krt/pkg/krt/untrusted"
)

// maxFile is how large the content of a config file may be, in bytes: what a Secret of
// Kubernetes holds (MaxSecretSize).
const maxFile = 1 << 20

// Source is where the values of config variables and files come from.
type Source struct {
	// Set gives values by name; it has precedence over EnvFiles.
	Set map[string]string
	// EnvFiles are the paths of files of NAME=VALUE lines, which have precedence over
	// the environment. If two files set one name, the later one counts.
	EnvFiles []string
	// Files gives, by name of a config file, the path of a file with its content.
	Files map[string]string
}

// FileError reports that the value of a config file was given as that of a variable.
type FileError struct{ Name string }

// Error names the config file.
func (e *FileError) Error() string {
	return fmt.Sprintf("config %q is a file: its value is the content of a file", e.Name)
}

// Values are the values of a version's config.
type Values struct {
	Variables map[string]string
	Files     map[string][]byte // content by name
}

// Given returns the values that s itself gives to the declared variables and files.
// A name that is not declared is an error; a name without a value is not, and an
// empty value of a variable counts as none.
func (s Source) Given(variables, files []string) (vars map[string]string, contents map[string][]byte, err error) {
	vars, contents, err = s.given(variables, files)
	maps.DeleteFunc(vars, func(_, value string) bool { return value == "" })
	return vars, contents, err
}

// given is Given, with "" for a variable whose value is empty.
func (s Source) given(variables, files []string) (vars map[string]string, contents map[string][]byte, err error) {
	if err := s.check(variables, files); err != nil {
		return nil, nil, err
	}
	fromFile, err := readEnvFiles(s.EnvFiles, variables)
	if err != nil {
		return nil, nil, err
	}
	vars, contents = map[string]string{}, map[string][]byte{}
	for _, name := range variables {
		set, isSet := s.Set[name]
		value, inFile := fromFile[name]
		if isSet || inFile {
			vars[name] = cmp.Or(set, value)
		}
	}
	for _, name := range files {
		path, ok := s.Files[name]
		if !ok {
			continue
		}
		content, err := untrusted.ReadPath(path, maxFile)
		if err != nil {
			return nil, nil, fmt.Errorf("cannot read config file %q: %w", name, err)
		}
		contents[name] = content
	}
	return vars, contents, nil
}

// Gather finds a value for each declared variable and file. Lookup, such as
// [os.LookupEnv], finds variables that s gives no value. An empty value counts as
// none. The error is a [MissingError] when a value is missing.
func (s Source) Gather(variables, files []string, lookup func(string) (string, bool)) (Values, error) {
	vars, contents, err := s.given(variables, files)
	if err != nil {
		return Values{}, err
	}
	all := maps.Clone(contents)
	var empty []string
	for _, name := range variables {
		value, found := vars[name]
		if value == "" {
			var inEnvironment bool
			value, inEnvironment = lookup(name)
			found = found || inEnvironment
		}
		if value == "" && found {
			empty = append(empty, name)
			continue
		}
		vars[name], all[name] = value, []byte(value)
	}
	if missing := Missing(variables, files, all); missing != nil {
		missing.Empty = empty
		return Values{}, missing
	}
	return Values{Variables: vars, Files: contents}, nil
}

// check refuses names that the manifest does not declare.
func (s Source) check(variables, files []string) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(s.Set)) {
		switch {
		case slices.Contains(variables, name):
		case slices.Contains(files, name):
			errs = append(errs, &FileError{name})
		default:
			errs = append(errs, unknownConfig("variable", name, variables))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Files)) {
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
