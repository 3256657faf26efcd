package krt_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/runner/environment"
)

// Why the JSON Schema and Parse differ about a manifest.
const (
	byReference = "a schema cannot compare values of different places"
	byName      = "a schema has one rule for the quantities of all resources"
	byBound     = "a schema cannot compare durations"
	byPath      = "a schema cannot clean paths"
	byImport    = "a schema has the letters of an import path only"
	byTag       = "an editor reports tags that it does not know itself"
	byWarning   = "an unknown key: Parse warns, and a schema has no warnings"
	byNumber    = "2.0 is an integer to a schema"
	byBoolean   = "true and True are the same to a schema"
	byEmpty     = "a key with an empty text is a missing one; in an editor, it is not finished"
)

// lenient are the mistakes that the schema does not find, with the reason.
func lenient() map[string]string {
	return map[string]string{
		"unknown node":                    byReference,
		"node twice":                      byReference,
		"workflow twice":                  byReference,
		"config variable twice":           byReference,
		"variable also in env":            byReference,
		"env as a list":                   byReference,
		"scale max below min":             byReference,
		"scale min and replicas":          byReference,
		"a GPU twice":                     byReference,
		"half a device":                   byName,
		"a device without a limit":        byReference,
		"more devices than requested":     byReference,
		"background timeout too long":     byBound,
		"timeout too long":                byBound,
		"a pod that is kept for too long": byBound,
		"a start for days":                byBound,
		"src outside":                     byPath,
		"bad ko image":                    byImport,
		"replicas with a fraction":        byNumber,
		"unknown tag":                     byTag,
		"binary tag":                      byTag,
	}
}

// strict is what the schema refuses and Parse accepts, with the reason.
func strict() map[string]string {
	return map[string]string{
		"unknown key":            byWarning,
		"unknown key in a node":  byWarning,
		"unknown key of inspect": byWarning,
		"unknown key of gpu":     byWarning,
		"key of config":          byWarning,
		"key of the entrypoint":  byWarning,
		"inspect below the top":  byWarning,
		"scale unknown key":      byWarning,
		"empty KRT version":      byEmpty,
		"version true":           byBoolean,
	}
}

// TestSchemaRefusesWhatParseRefuses compares them with every mutant of a whole manifest and every mistake.
func TestSchemaRefusesWhatParseRefuses(t *testing.T) {
	schema := compile(t)
	texts := map[string]string{"whole": whole, "good": goodManifest}
	eachMutant(func(name, text string, _ int) { texts[name] = text })
	for _, m := range mistakes() {
		texts[m.name] = m.text(t)
	}
	differ := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		_, problems := krt.Parse("krt.yml", []byte(texts[name]))
		err := accepts(schema, texts[name])
		reasons := strict()
		if problems.HasErrors() {
			reasons = lenient()
		}
		if problems.HasErrors() == (err != nil) {
			continue
		}
		require.Contains(t, reasons, name, "the schema: %v; Parse: %v", err, problems.Errors())
		differ[name] = true
	}
	require.Len(t, differ, len(lenient())+len(strict()), "exceptions that are none any more")
	t.Logf("the schema and Parse agree about %d of %d manifests; the others are listed with the reason", len(texts)-len(differ), len(texts))
}

// TestSchemaAcceptsWhatRuns has every manifest of the repository that is without errors, of both generations.
func TestSchemaAcceptsWhatRuns(t *testing.T) {
	schema := compile(t)
	found := 0
	for _, pattern := range []string{"../../functions/*/krt.yml", "../../test/bundles/*/*/krt.yml", "../../test/bundles/*/*/bundle/krt.yml"} {
		paths, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, path := range paths {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			if _, problems := krt.Parse(path, text); !problems.HasErrors() {
				found++
				require.NoError(t, accepts(schema, string(text)), path)
				continue
			}
			require.Error(t, accepts(schema, string(text)), path)
		}
	}
	require.Greater(t, found, 10)
}

// TestPublishedSchemaIsCurrent compares what the docs publish; `make generate` writes it.
func TestPublishedSchemaIsCurrent(t *testing.T) {
	want, err := krt.JSONSchema()
	require.NoError(t, err)
	got, err := os.ReadFile("../../docs/reference/krt.schema.json")
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "docs/reference/krt.schema.json is stale: run make generate")
	require.Regexp(t, `(?s)"krtVersion".*"version".*"description".*"entrypoint".*"config".*"nodes".*"workflows"`, string(got))
}

// TestFormIsWhole checks what the table says of itself.
func TestFormIsWhole(t *testing.T) {
	var visit func(path string, f *krt.Field)
	visit = func(path string, f *krt.Field) {
		for i := range f.Fields {
			one := &f.Fields[i]
			require.NotEmpty(t, one.Doc, "%s.%s", path, one.Key)
			visit(path+"."+one.Key, one)
		}
		for _, below := range []*krt.Field{f.Element, f.Or} {
			if below != nil {
				visit(path+"[]", below)
			}
		}
		require.False(t, (f.Pattern != "" || f.Refused != "") && f.Rule == "", "%s has a pattern, and no words for it", path)
	}
	form := krt.Form()
	visit("", form)
	for _, field := range form.Fields {
		for _, below := range field.Fields {
			if below.Key == "backgroundTimeout" {
				d, err := time.ParseDuration(below.Default)
				require.NoError(t, err)
				require.Equal(t, environment.DefaultBackgroundTimeout, d)
			}
		}
	}
}

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := krt.JSONSchema()
	require.NoError(t, err)
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource(krt.SchemaID, document))
	schema, err := c.Compile(krt.SchemaID)
	require.NoError(t, err)
	return schema
}

// accepts validates a manifest as an editor does: what its YAML means as JSON.
func accepts(schema *jsonschema.Schema, text string) error {
	var value any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		return err
	}
	plain, err := json.Marshal(value)
	if err != nil {
		return err
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(plain))
	if err != nil {
		return err
	}
	return schema.Validate(document)
}
