package cluster

import (
	"context"
	"fmt"

	"krt.dev/kn-krt/pkg/cluster/value"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/krt/configvalue"
)

// maxConfig is how many bytes the values that are set at a time may have: what a Secret holds.
const maxConfig = 1 << 20

// Config implements [source.Source].
func (s *Source) Config(ctx context.Context, ref source.Ref) ([]source.ConfigEntry, error) {
	c, v, err := s.get(ctx, ref)
	if err != nil {
		return nil, err
	}
	values, err := c.ConfigValues(ctx, v)
	if err != nil {
		return nil, s.explain(ref, err)
	}
	var entries []source.ConfigEntry
	for _, e := range value.Entries(v.Spec.Config, values) {
		entries = append(entries, source.ConfigEntry{Name: e.Name, File: e.File, Set: e.Set})
	}
	return entries, nil
}

// SetConfig implements [source.Source].
func (s *Source) SetConfig(ctx context.Context, ref source.Ref, set map[string][]byte, unset []string) error {
	c, v, err := s.get(ctx, ref)
	if err != nil {
		return err
	}
	given, err := valuesOf(v.Spec.Config.Variables, v.Spec.Config.Files, set)
	if err != nil {
		return &source.RefusedError{Refusal: source.Conflict, Text: err.Error()}
	}
	if err := value.Check(&v.Spec, given); err != nil {
		return s.explain(ref, err)
	}
	if err := value.CheckUnset(v, given, unset); err != nil {
		return s.explain(ref, err)
	}
	_, err = c.SetConfig(ctx, ref.Name, given, unset)
	return s.explain(ref, err)
}

// valuesOf returns the values of declared variables and files. An empty value of a variable
// counts as none.
func valuesOf(variables, files []string, set map[string][]byte) (map[string][]byte, error) {
	values, others, size := map[string][]byte{}, map[string]string{}, 0
	for name, value := range set {
		size += len(value)
		others[name] = string(value)
	}
	if size > maxConfig {
		return nil, fmt.Errorf("the values have %d bytes, and a Secret holds at most %d", size, maxConfig)
	}
	for _, name := range files {
		if value, given := set[name]; given {
			values[name] = value
			delete(others, name)
		}
	}
	given, _, err := configvalue.Source{Set: others}.Given(variables, files)
	for name, value := range given {
		values[name] = []byte(value)
	}
	return values, err
}
