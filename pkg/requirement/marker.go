package requirement

import (
	"regexp"
	"strings"
)

// markerWord is a character that is not a blank, with hyphens that follow it.
const markerWord = `[A-Za-z0-9._+~,:/()*!<>=][A-Za-z0-9._+~,:/()*!<>=-]*`

// The tokens of a marker (PEP 508). A word ends where a word can: "and" is not the beginning of "android".
var (
	markerVariable = regexp.MustCompile(`^(python_version|python_full_version|os_name|sys_platform|` +
		`platform_release|platform_system|platform_version|platform_machine|platform_python_implementation|implementation_name|` +
		`implementation_version|extra|` +
		`os\.name|sys\.platform|platform\.version|platform\.machine|platform\.python_implementation|python_implementation)\b`)
	// No blank is before a hyphen, as pip looks for options of a line without regard to quotes.
	markerString   = regexp.MustCompile(`^("(?: ?` + markerWord + `)*"|'(?: ?` + markerWord + `)*')`)
	markerOperator = regexp.MustCompile(`^(===|==|~=|!=|<=|>=|<|>|in\b|not[ \t]+in\b)`)
	markerAnd      = regexp.MustCompile(`^and\b`)
	markerOr       = regexp.MustCompile(`^or\b`)
)

// maxMarkerDepth is how deep brackets of a marker may nest.
const maxMarkerDepth = 16

// marker reads a marker and returns it with single blanks.
func (s *scanner) marker() (string, error) { return s.markerOf(markerOr, 0) }

// markerOf reads operands that are joined by the word of join: of "or" those are joined by "and", of "and"
// comparisons or markers in brackets.
func (s *scanner) markerOf(join *regexp.Regexp, depth int) (string, error) {
	var parts []string
	for {
		var part string
		var err error
		if join == markerOr {
			part, err = s.markerOf(markerAnd, depth)
		} else {
			part, err = s.operand(depth)
		}
		if err != nil {
			return "", err
		}
		parts = append(parts, part)
		word := s.take(join)
		if word == nil {
			return strings.Join(parts, " "), nil
		}
		parts = append(parts, word[0])
	}
}

func (s *scanner) operand(depth int) (string, error) {
	if !s.taken("(") {
		return s.comparison()
	}
	if depth == maxMarkerDepth {
		return "", errSyntax
	}
	inner, err := s.markerOf(markerOr, depth+1)
	if err != nil || !s.taken(")") {
		return "", errSyntax
	}
	return "(" + inner + ")", nil
}

func (s *scanner) comparison() (string, error) {
	left, err := s.markerValue()
	if err != nil {
		return "", err
	}
	operator := s.take(markerOperator)
	if operator == nil {
		return "", errSyntax
	}
	right, err := s.markerValue()
	return left + " " + strings.Join(strings.Fields(operator[0]), " ") + " " + right, err
}

func (s *scanner) markerValue() (string, error) {
	for _, token := range []*regexp.Regexp{markerVariable, markerString} {
		if found := s.take(token); found != nil {
			return found[0], nil
		}
	}
	return "", errSyntax
}
