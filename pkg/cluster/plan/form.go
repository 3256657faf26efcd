package plan

import (
	"regexp"
	"slices"
	"strings"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// field is a field of the plan and what its value may be: the rules of the kind Runtime.
type field struct {
	key      string
	required bool
	// what names a good value for people, and good reports whether a text is one.
	what string
	good func(text string) bool
	// whole is true of a whole number from low to high.
	whole bool
	// fields are those of a map, and check finds what is wrong with it as a whole.
	fields []field
	check  func(map[string]any) string
	// element is what a list of low to high elements has.
	element   *field
	low, high int
}

func (f *field) keys() []string {
	keys := make([]string, len(f.fields))
	for i := range f.fields {
		keys[i] = f.fields[i].key
	}
	return keys
}

var (
	increasePattern = regexp.MustCompile(`^[0-9]{1,4}(\.[0-9]{1,3})?%$`)
	decreasePattern = regexp.MustCompile(`^[0-9]{1,2}(\.[0-9]{1,3})?%$`)
	sharePattern    = regexp.MustCompile(`^(100(\.0{1,3})?|[0-9]{1,2}(\.[0-9]{1,3})?)%$`)
	durationPattern = regexp.MustCompile(`^([0-9]+([.][0-9]+)?(ms|s|m|h))+$`)
	numberPattern   = regexp.MustCompile(`^-?[0-9]{1,15}(\.[0-9]{1,9})?$`)
	namePattern     = regexp.MustCompile(`^[a-zA-Z]([-_a-zA-Z0-9]{0,30}[a-zA-Z0-9])?$`)
)

// most is how many requests or samples a plan may ask for.
const most = 1_000_000

// form is the plan.
func form() field {
	step := field{fields: []field{
		required(whole("weight", 99)),
		required(text("for", "a duration from 1s to 720h such as 10m or 1h30m", isDuration)),
	}}
	return field{fields: []field{
		{key: "steps", required: true, element: &step, low: 1, high: 20},
		whole("minRequests", most),
		limits(),
		oneOf("onFailure", v1alpha1.CanaryRollback, v1alpha1.CanaryPause),
		oneOf("onSuccess", v1alpha1.CanaryPromote, v1alpha1.CanaryPause),
		text("waitLimit", "a duration from 1s to 720h such as 10m or 1h30m", isDuration),
	}}
}

func limits() field {
	query := field{
		fields: []field{
			required(text("name", "a name of at most 32 letters, digits, - and _, beginning with a letter", namePattern.MatchString)),
			required(text("prometheus", "a query of 1 to 2048 characters", func(text string) bool {
				return text != "" && len(text) <= 2048
			})),
			text("min", "a decimal number", numberPattern.MatchString),
			text("max", "a decimal number", numberPattern.MatchString),
		},
		check: func(found map[string]any) string {
			if found["min"] == nil && found["max"] == nil {
				return "needs min or max"
			}
			return ""
		},
	}
	increase := required(text("increase", "a percentage such as 1% or 0.5%", increasePattern.MatchString))
	return field{key: "limits", fields: []field{
		{key: "errorRatio", fields: []field{increase}},
		{key: "p95", fields: []field{increase}},
		{key: "accuracy", fields: []field{
			required(text("decrease", "a percentage below 100% such as 2%", decreasePattern.MatchString)),
			whole("minSamples", most),
		}},
		{key: "agreement", fields: []field{
			required(text("min", "a percentage of at most 100% such as 99%", sharePattern.MatchString)),
			whole("minSamples", most),
		}},
		{key: "query", element: &query, low: 0, high: 8},
	}}
}

func required(f field) field {
	f.required = true
	return f
}

func whole(key string, high int) field {
	return field{key: key, whole: true, low: 1, high: high, what: "a whole number"}
}

func text(key, what string, good func(string) bool) field {
	return field{key: key, what: what, good: good}
}

func oneOf(key string, words ...string) field {
	return text(key, strings.Join(words, " or "), func(text string) bool { return slices.Contains(words, text) })
}
