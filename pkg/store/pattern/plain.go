package pattern

import (
	"regexp"
	"regexp/syntax"
)

// maxChoices limits the places of a plain expression where it may go on in more than one way.
const maxChoices = 2

// IsPlain reports whether re takes a time that is bounded by a small power of the text's length
// even where it is matched by trying every way (PCRE), unlike here: it has few choices, and
// repeats nothing but single characters.
func IsPlain(re *regexp.Regexp) bool {
	tree, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil {
		return false
	}
	return choices(tree) <= maxChoices
}

// choices returns how many choices an expression has; too many if it repeats what has more
// than one character.
func choices(re *syntax.Regexp) (n int) {
	switch re.Op {
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		n = 1
		if !isCharacter(re.Sub[0]) {
			return maxChoices + 1
		}
	case syntax.OpAlternate:
		n = 1
	}
	for _, sub := range re.Sub {
		n += choices(sub)
	}
	return n
}

func isCharacter(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune) == 1
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return true
	}
	return false
}
