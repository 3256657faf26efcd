package configvalue

import (
	"fmt"
	"strings"
)

// MissingError names the config variables and files of a version that have no
// value. All must have one when the version starts (KRT V1, "config").
type MissingError struct {
	Variables []string
	Files     []string
	// Empty are those of Variables whose value is set and empty.
	Empty []string
}

// Error names them.
func (e *MissingError) Error() string {
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

// Missing returns the declared variables and files that have no value in values,
// which are by name; nil if all have one. An empty value of a variable counts as
// none; a file may be empty.
func Missing(variables, files []string, values map[string][]byte) *MissingError {
	e := &MissingError{}
	for _, name := range variables {
		if len(values[name]) == 0 {
			e.Variables = append(e.Variables, name)
		}
	}
	for _, name := range files {
		if _, found := values[name]; !found {
			e.Files = append(e.Files, name)
		}
	}
	if len(e.Variables)+len(e.Files) == 0 {
		return nil
	}
	return e
}

func quoted(names []string) string {
	quotes := make([]string, len(names))
	for i, name := range names {
		quotes[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(quotes, ", ")
}
