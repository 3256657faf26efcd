package krt

import (
	"regexp"
	"time"

	"krt.dev/kn-krt/pkg/runner/environment"
)

// FieldKind is what the value of a [Field] is.
type FieldKind int

// The kinds of fields.
const (
	// FieldText is text. A number without quotes is the text that is written.
	FieldText FieldKind = iota
	// FieldScalar is text, a number, or true or false, taken as the text that is written.
	FieldScalar
	// FieldBoolean is true or false; yes, no, on and off without quotes are accepted, as in YAML 1.1.
	FieldBoolean
	// FieldInteger is a whole number from Low to High.
	FieldInteger
	// FieldDuration is a duration as Go writes it, such as 30s or 1h30m, from 1ms to MaxDuration.
	FieldDuration
	// FieldBytes is a number of bytes from Low to High, or such a number with the unit Ki or Mi.
	FieldBytes
	// FieldMap is a map with the keys Fields.
	FieldMap
	// FieldNames is a map with names of the user's own: Names says which, Element what each value is.
	FieldNames
	// FieldList is a list; Element says what each element is.
	FieldList
)

// Field is one key of the manifest: what it means, and what its value may be. The whole of them is
// [Form].
type Field struct {
	// Key is the name of the key, empty for the manifest itself, elements of lists and values of
	// [FieldNames].
	Key string
	// Doc is what the value means, in one or two sentences of plain text.
	Doc  string
	Kind FieldKind
	// Required fields must be there and not be empty.
	Required bool
	// RequiredIf makes the field required by the value of the key next to it; nil if nothing does.
	RequiredIf *Condition
	// Addition marks what kn-krt adds to KRT V1.
	Addition bool
	// ClusterOnly marks what has no effect in a local run.
	ClusterOnly bool
	// Default is the value, as the manifest would have it, of a field that is missing; empty for none.
	Default string
	// Examples are good values, as the manifest would have them.
	Examples []string
	// Values are all values that are allowed; nil if they are not a list.
	Values []string
	// Pattern is the form of a text, Refused that of texts which are not allowed all the same; both are
	// regular expressions that mean the same in Go and in JavaScript, and may be empty.
	Pattern, Refused string
	// Rule is what Pattern and Refused require, in words that follow the value.
	Rule string
	// Low and High bound a number, the characters of a text, or the elements of a list or map. A High of
	// 0 is no bound.
	Low, High int
	// MaxDuration is the longest duration.
	MaxDuration time.Duration
	// Unique says that no element of a list may be in it twice.
	Unique bool
	// Fields are the keys of a [FieldMap], in the order in which people write them.
	Fields []Field
	// Names is what the names of a [FieldNames] may be.
	Names *Field
	// Element is what the elements of a [FieldList] or the values of a [FieldNames] may be.
	Element *Field
	// Or is another form that the value may have; nil if there is none.
	Or *Field

	// read is how many characters of a text are read before a check of its own reports what is too
	// long; 0 is High.
	read int
}

// Condition is true of a map whose text at Key matches Pattern.
type Condition struct{ Key, Pattern string }

// find returns the field of a map with that key.
func (f *Field) find(key string) *Field {
	for i := range f.Fields {
		if f.Fields[i].Key == key {
			return &f.Fields[i]
		}
	}
	panic("krt: no field " + key) // the reader asks for keys of its own
}

// keys are the known keys of a map.
func (f *Field) keys() []string {
	keys := make([]string, len(f.Fields))
	for i := range f.Fields {
		keys[i] = f.Fields[i].Key
	}
	return keys
}

// readable is how many characters of a text are read at most.
func (f *Field) readable() int { return max(f.High, f.read) }

// What texts look like: names, config variables (KRT V1), and image references.
var (
	namePattern     = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	versionPattern  = regexp.MustCompile(`^[a-z]([-a-z0-9]*[a-z0-9])?$`)
	variablePattern = regexp.MustCompile(`^[A-Z0-9]([_A-Z0-9]*[A-Z0-9])?$`)
	imagePattern    = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?/)?` + // registry
		`[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*` + // repository
		`(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@[A-Za-z][A-Za-z0-9+._-]*:[0-9a-fA-F]{32,128})?$`) // tag, digest
	envPattern      = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	resourcePattern = regexp.MustCompile(`^(cpu|memory|ephemeral-storage|` +
		`[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)$`)
	gpuPattern         = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`)
	kubernetesResource = regexp.MustCompile(`^([^/]*[.])?kubernetes[.]io/`)
	quantityPattern    = regexp.MustCompile(`^[0-9]{1,15}(\.[0-9]{1,9})?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$`)
	wholePattern       = regexp.MustCompile(`^[0-9]{1,15}$`)
	// runnerPattern matches the bases that bundles name, which run the code at src and have none of their own.
	runnerPattern = regexp.MustCompile(`^([^@]*/)?(kre-|kn-krt-|krt-)[^/@]*(@.*)?$`)
)

// What names may not be.
var (
	reservedVersions  = regexp.MustCompile(`^active-entrypoint$`)
	reservedNodes     = regexp.MustCompile(`^(entrypoint|reply|config)$`)
	reservedVariables = regexp.MustCompile(`^(` + environment.Port + `|PATH|HOME)$|^(K_|` + environment.Prefix + `|LD_|PYTHON)`)
)

// Patterns that are for editors only: what they are for is checked more exactly elsewhere. durationForm
// matches the durations that Go reads and that are not negative, outsideForm paths that are not inside the
// bundle, or not paths.
const (
	outsideForm  = `^/|^(\./+)*\.\.(/|$)|[\\\x00]`
	protoForm    = `\.proto$`
	durationForm = `^\+?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$`
	koForm       = `^ko://[-A-Za-z0-9._~+]+(/[-A-Za-z0-9._~+]+)*$`
)
