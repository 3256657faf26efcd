package crd_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"krt.dev/kn-krt/test/apiserver"
)

type props = apiextensionsv1.JSONSchemaProps

// schema reads what a CRD of config/ says of its one version.
func schema(t *testing.T, file string) *props {
	t.Helper()
	text, err := os.ReadFile(apiserver.Folder + "/" + file)
	require.NoError(t, err)
	var crd apiextensionsv1.CustomResourceDefinition
	require.NoError(t, yaml.Unmarshal(text, &crd))
	require.Len(t, crd.Spec.Versions, 1)
	return crd.Spec.Versions[0].Schema.OpenAPIV3Schema
}

// walk visits a schema and all within it, with the path of the first example of each.
func walk(s *props, path string, visit func(s *props, path string)) {
	visit(s, path)
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		inner := s.Properties[name]
		walk(&inner, strings.TrimPrefix(path+"."+name, "."), visit)
	}
	if s.Items != nil {
		walk(s.Items.Schema, path+"[0]", visit)
	}
	if s.AdditionalProperties != nil {
		walk(s.AdditionalProperties.Schema, path+".memory", visit)
	}
}

// breach is a value that a constraint refuses, and one that it does not.
type breach struct {
	constraint, field, text string
	bad, good               any
}

// breaches are those of one schema, whose example value is given.
func breaches(s *props, path string, value any) (all []breach) {
	add := func(constraint, field, text string, bad, good any) {
		all = append(all, breach{constraint, field, text, bad, good})
	}
	if n := s.MaxLength; n != nil {
		add("maxLength", path, fmt.Sprintf("may not be more than %d bytes", *n), strings.Repeat("x", int(*n)+1), strings.Repeat("x", int(*n)))
	}
	if n := s.MinLength; n != nil {
		add("minLength", path, fmt.Sprintf("should be at least %d chars long", *n), strings.Repeat("x", int(*n)-1), strings.Repeat("x", int(*n)))
	}
	if s.Pattern != "" {
		add("pattern", path, fmt.Sprintf("should match '%s'", s.Pattern), "!", value)
	}
	if s.Enum != nil {
		add("enum", path, "supported values: "+quoted(s.Enum), "other", value)
	}
	if s.Format == "date-time" {
		add("format", path, "must be of type date-time", "soon", value)
	}
	if n := s.Minimum; n != nil {
		add("minimum", path, fmt.Sprintf("should be greater than or equal to %v", *n), *n-1, *n)
	}
	if n := s.Maximum; n != nil {
		add("maximum", path, fmt.Sprintf("should be less than or equal to %.0f", *n), *n+1, *n)
	}
	if n := s.MaxProperties; n != nil {
		add("maxProperties", path, fmt.Sprintf("must have at most %d items", *n), entries(int(*n)+1), entries(int(*n)))
	}
	if n := s.MinItems; n != nil && *n == 1 {
		add("minItems", path, "Required value", list(), value)
	}
	if n := s.MaxItems; n != nil {
		add("maxItems", path, fmt.Sprintf("must have at most %d items", *n), distinct(s, value, int(*n)+1), distinct(s, value, int(*n)))
	}
	if kind := s.XListType; kind != nil && *kind != "atomic" {
		elements := value.([]any)
		add("x-kubernetes-list-type", fmt.Sprintf("%s[%d]", path, len(elements)), "Duplicate value",
			append(slices.Clone(elements), elements[0]), value)
	}
	for _, name := range s.Required {
		without := maps.Clone(value.(object))
		delete(without, name)
		add("required "+name, strings.TrimPrefix(path+"."+name, "."), "Required value", without, value)
	}
	return all
}

// quoted are the values of an enum as a refusal names them.
func quoted(enum []apiextensionsv1.JSON) string {
	var all []string
	for _, value := range enum {
		all = append(all, string(value.Raw))
	}
	return strings.Join(all, ", ")
}

// entries is a map of n quantities.
func entries(n int) object {
	all := object{}
	for i := range n {
		all[fmt.Sprintf("example.com/r%d", i)] = "1"
	}
	return all
}

// distinct is a list of n elements like the first of an example, which differ in their keys.
func distinct(s *props, example any, n int) []any {
	return many(n, func(i int) any {
		name := fmt.Sprintf("V%d", i)
		first, ok := example.([]any)[0].(object)
		if !ok {
			return name
		}
		element := maps.Clone(first)
		for _, key := range s.XListMapKeys {
			element[key] = name
		}
		return element
	})
}

// tested are the parts of a schema that breaches and TestEveryRuleHasACase know;
// the others constrain nothing, but for the integers' formats, which maxima are within.
var tested = []string{
	"maxLength", "minLength", "pattern", "enum", "format", "minimum", "maximum", "maxProperties", "minItems", "maxItems", "required",
	"x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-validations",
	"type", "properties", "items", "additionalProperties", "description", "default", "anyOf", "x-kubernetes-int-or-string",
	"x-kubernetes-preserve-unknown-fields",
}

func requireKnown(t *testing.T, s *props, path string) {
	t.Helper()
	text, err := json.Marshal(s)
	require.NoError(t, err)
	var parts object
	require.NoError(t, json.Unmarshal(text, &parts))
	for part := range parts {
		require.Containsf(t, tested, part, "nothing breaks this constraint of %s: add it to breaches", path)
	}
}

// at is the value in o at a path such as spec.nodes[0].name, whose place is set if there is a replacement.
func at(t *testing.T, o any, path string, replacement ...any) any {
	t.Helper()
	steps := strings.FieldsFunc(path, func(r rune) bool { return strings.ContainsRune(".[]", r) })
	for i, step := range steps {
		last := i == len(steps)-1 && replacement != nil
		switch in := o.(type) {
		case object:
			require.Containsf(t, in, step, "the example has no %s", path)
			if last {
				in[step] = replacement[0]
			}
			o = in[step]
		case []any:
			require.Equalf(t, "0", step, "the example has no %s", path)
			require.NotEmptyf(t, in, "the example has no %s", path)
			if last {
				in[0] = replacement[0]
			}
			o = in[0]
		}
	}
	return o
}

// placed is how the fields of rules are given: by the first element of each list.
func placed(field string) string {
	if field == "<nil>" {
		return "" // the object itself
	}
	return regexp.MustCompile(`\[\d+\]`).ReplaceAllString(field, "[0]")
}

// Each rule has a case among the tables that it refuses; [TestEveryConstraint] has
// one that all accept.
func TestEveryRuleHasACase(t *testing.T) {
	refused := map[string][]string{}
	for _, tt := range creations {
		refused["Version "+placed(tt.field)] = append(refused["Version "+placed(tt.field)], tt.text)
	}
	for _, tt := range changes {
		refused["Version "+placed(tt.field)] = append(refused["Version "+placed(tt.field)], frozen)
	}
	refused["Version .spec"] = []string{runs} // TestWhatRunsDoesNotChange
	for _, tt := range publications {
		refused["Runtime "+placed(tt.field)] = append(refused["Runtime "+placed(tt.field)], tt.text)
	}
	for kind, file := range map[string]string{"Version": "300-versions.yaml", "Runtime": "300-runtimes.yaml"} {
		walk(schema(t, file), "", func(s *props, path string) {
			for _, rule := range s.XValidations {
				said := rule.Message
				if rule.MessageExpression != "" { // the message with names in it: they end alike
					said = said[strings.LastIndexAny(said, ",:")+1:]
				}
				cases := refused[kind+" "+path+rule.FieldPath]
				require.Truef(t, slices.ContainsFunc(cases, func(text string) bool { return strings.HasSuffix(text, said) }),
					"no case of %s is refused at %q by the rule %q", kind, path+rule.FieldPath, rule.Message)
			}
		})
	}
}
