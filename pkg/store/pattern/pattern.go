// Package pattern writes regular expressions of Go in the languages of databases, so that
// they match there what they match here.
package pattern

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode"
)

// Language is that of a database.
type Language struct {
	anyChar, notLine   string // any character, and any but a line break
	beginText, endText string
	beginLine, endLine string
	boundary, within   string // of a word
	short, long        string // a character by its code: of four digits, and of more
	maxRepeat          int
}

const word = "[0-9A-Za-z_]"

// Postgres returns the language of PostgreSQL, without options; in SQL/JSON paths that is
// like_regex with the flag "s".
func Postgres() Language {
	return Language{
		anyChar: ".", notLine: `[^\n]`, beginText: "^", endText: "$",
		beginLine: `(?:^|(?<=\n))`, endLine: `(?:$|(?=\n))`,
		boundary: "(?:(?<=" + word + ")(?!" + word + ")|(?<!" + word + ")(?=" + word + "))",
		within:   "(?:(?<=" + word + ")(?=" + word + ")|(?<!" + word + ")(?!" + word + "))",
		short:    `\u%04X`, long: `\U%08X`, maxRepeat: 255,
	}
}

// Perl returns the language of MongoDB, which is PCRE's, as far as others of its family
// have it too.
func Perl() Language {
	return Language{
		anyChar: "(?s:.)", notLine: `[^\n]`, beginText: "^", endText: `\z`, beginLine: "(?m:^)", endLine: "(?m:$)",
		boundary: `\b`, within: `\B`, short: `\x{%X}`, long: `\x{%X}`, maxRepeat: 1000,
	}
}

// Write returns an expression that matches where re does, or false if the language has none.
// Which part of a text is matched may differ.
func (l Language) Write(re *regexp.Regexp) (string, bool) {
	tree, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil {
		return "", false
	}
	w := &writer{language: l}
	w.write(tree)
	return w.text.String(), !w.failed
}

type writer struct {
	language Language
	text     strings.Builder
	failed   bool
}

func (w *writer) write(tree *syntax.Regexp) {
	if constant, ok := w.constant(tree.Op); ok {
		w.text.WriteString(constant)
		return
	}
	switch tree.Op {
	case syntax.OpLiteral:
		for _, r := range tree.Rune {
			w.literal(r, tree.Flags&syntax.FoldCase != 0)
		}
	case syntax.OpCharClass:
		w.class(tree.Rune)
	case syntax.OpCapture:
		w.group(tree.Sub[0])
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest:
		w.repeat(tree.Sub[0], map[syntax.Op]string{syntax.OpStar: "*", syntax.OpPlus: "+", syntax.OpQuest: "?"}[tree.Op])
	case syntax.OpRepeat:
		w.count(tree)
	case syntax.OpConcat, syntax.OpAlternate:
		for i, sub := range tree.Sub {
			if i > 0 && tree.Op == syntax.OpAlternate {
				w.text.WriteByte('|')
			}
			w.group(sub)
		}
	default:
		w.failed = true
	}
}

// constant returns what has neither parts nor characters of its own.
func (w *writer) constant(op syntax.Op) (string, bool) {
	text, ok := map[syntax.Op]string{
		syntax.OpEmptyMatch: "(?:)", syntax.OpAnyChar: w.language.anyChar, syntax.OpAnyCharNotNL: w.language.notLine,
		syntax.OpBeginText: w.language.beginText, syntax.OpEndText: w.language.endText,
		syntax.OpBeginLine: w.language.beginLine, syntax.OpEndLine: w.language.endLine,
		syntax.OpWordBoundary: w.language.boundary, syntax.OpNoWordBoundary: w.language.within,
	}[op]
	return text, ok
}

// group writes a part so that what follows is about all of it.
func (w *writer) group(tree *syntax.Regexp) {
	if tree.Op != syntax.OpAlternate && tree.Op != syntax.OpConcat {
		w.write(tree)
		return
	}
	w.text.WriteString("(?:")
	w.write(tree)
	w.text.WriteByte(')')
}

// repeat writes what is repeated. No language repeats an assertion.
func (w *writer) repeat(tree *syntax.Regexp, times string) {
	inner := tree
	for inner.Op == syntax.OpCapture {
		inner = inner.Sub[0]
	}
	if inner.Op == syntax.OpEmptyMatch || inner.Op >= syntax.OpBeginLine && inner.Op <= syntax.OpNoWordBoundary {
		w.failed = true
	}
	w.text.WriteString("(?:")
	w.write(tree)
	w.text.WriteString(")" + times)
}

func (w *writer) count(tree *syntax.Regexp) {
	if max(tree.Min, tree.Max) > w.language.maxRepeat {
		w.failed = true
	}
	times := fmt.Sprintf("{%d,%d}", tree.Min, tree.Max)
	if tree.Max < 0 {
		times = fmt.Sprintf("{%d,}", tree.Min)
	}
	w.repeat(tree.Sub[0], times)
}

func (w *writer) literal(r rune, fold bool) {
	others := unicode.SimpleFold(r)
	if !fold || others == r {
		w.text.WriteString(w.character(r))
		return
	}
	w.text.WriteString("[" + w.character(r))
	for ; others != r; others = unicode.SimpleFold(others) {
		w.text.WriteString(w.character(others))
	}
	w.text.WriteByte(']')
}

// class writes a set of characters, given as pairs of the first and the last one. One that
// has the zero byte, which databases do not have in a text, is written as what is not in it.
func (w *writer) class(pairs []rune) {
	set := "["
	if len(pairs) == 0 || pairs[0] == 0 {
		set, pairs = "[^", complement(pairs)
	}
	if len(pairs) == 0 {
		w.text.WriteString(w.language.anyChar)
		return
	}
	w.text.WriteString(set)
	for i := 0; i < len(pairs); i += 2 {
		w.text.WriteString(w.character(pairs[i]))
		if pairs[i+1] > pairs[i] {
			w.text.WriteString("-" + w.character(pairs[i+1]))
		}
	}
	w.text.WriteByte(']')
}

// complement returns the characters from 1 on that are not in pairs.
func complement(pairs []rune) (others []rune) {
	next := rune(1)
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i] > next {
			others = append(others, next, pairs[i]-1)
		}
		next = pairs[i+1] + 1
	}
	if next <= unicode.MaxRune {
		others = append(others, next, unicode.MaxRune)
	}
	return others
}

// character writes letters and digits as they are, and others by their code.
func (w *writer) character(r rune) string {
	switch {
	case r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r == ' ' || r == '_':
		return string(r)
	case r <= 0xffff:
		return fmt.Sprintf(w.language.short, r)
	default:
		return fmt.Sprintf(w.language.long, r)
	}
}
