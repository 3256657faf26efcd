package configvalue

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"krt.dev/kn-krt/pkg/krt/untrusted"
)

// maxEnvFile is how large an env file may be, in bytes.
const maxEnvFile = 1 << 20

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)

// readEnvFiles reads the files in order; a later one overrides an earlier one. If one file has
// two values for a declared name, that is an error; for other names the last one counts.
func readEnvFiles(paths, declared []string) (map[string]string, error) {
	all := map[string]string{}
	for _, path := range paths {
		text, err := readEnvFile(path)
		if err != nil {
			return nil, fmt.Errorf("cannot read env file: %w", err)
		}
		variables, err := parseEnv(text, declared)
		if err != nil {
			return nil, fmt.Errorf("cannot read env file: %s:%w", path, err)
		}
		for name, value := range variables {
			all[name] = value
		}
	}
	return all, nil
}

func readEnvFile(path string) (string, error) {
	text, err := untrusted.ReadPath(path, maxEnvFile)
	return string(text), err
}

// parseEnv reads lines NAME=VALUE. A value is taken literally: "$" has no meaning. An
// unquoted one ends before white space and "#", which begin a comment. One in single quotes
// is all between them. One in double quotes may have \n, \r, \t, \", \$ and \\; another
// backslash is one. Quoted values may span lines. A declared name may not have two values that
// differ; of others the last holds. The error is "line: text" and shows no value.
func parseEnv(text string, declared []string) (map[string]string, error) {
	p := &envParser{rest: strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n"), line: 1}
	variables, lines := map[string]string{}, map[string]int{}
	for p.rest != "" {
		line := p.line
		name, value, err := p.next()
		switch {
		case err != nil:
			return nil, fmt.Errorf("%d: %w", line, err)
		case name == "":
			continue
		case lines[name] > 0 && variables[name] != value && slices.Contains(declared, name):
			return nil, fmt.Errorf("%d: %q has another value on line %d; leave one of the lines out", line, name, lines[name])
		}
		variables[name], lines[name] = value, line
	}
	return variables, nil
}

// envParser is what is left of an env file.
type envParser struct {
	rest string
	line int // of the first byte of rest
}

// next reads a line, or the lines of a quoted value. The name is "" for a line without one.
func (p *envParser) next() (name, value string, err error) {
	line, _, _ := strings.Cut(p.rest, "\n")
	if trimmed := strings.TrimSpace(line); trimmed == "" || trimmed[0] == '#' {
		p.endLine(len(line))
		return "", "", nil
	}
	before, after, ok := strings.Cut(line, "=")
	name = withoutExport(strings.TrimSpace(before))
	if !ok || !envName.MatchString(name) {
		return "", "", errors.New("the line is not of the form NAME=VALUE")
	}
	value = strings.TrimLeft(after, " \t")
	if value == "" || value[0] != '"' && value[0] != '\'' {
		p.endLine(len(line))
		value = unquoted(after)
	} else {
		p.skip(len(line) - len(value))
		value, err = p.quoted()
	}
	if err == nil && (!utf8.ValidString(value) || strings.ContainsRune(value, 0)) {
		err = errors.New("the value is not text in UTF-8")
	}
	return name, value, err
}

// withoutExport removes what shells need before a name.
func withoutExport(name string) string {
	if rest, exported := strings.CutPrefix(name, "export"); exported && strings.TrimLeft(rest, " \t") != rest {
		return strings.TrimSpace(rest)
	}
	return name
}

// unquoted returns the value after "=", without a comment, which begins after white
// space only: bash, Docker Compose and python-dotenv take the "#" of NAME=#x for the value's.
func unquoted(text string) string {
	for i := range len(text) {
		if text[i] == '#' && i > 0 && (text[i-1] == ' ' || text[i-1] == '\t') {
			text = text[:i]
			break
		}
	}
	return strings.TrimSpace(text)
}

// quoted reads a value in quotes, and the rest of the line it ends on.
func (p *envParser) quoted() (string, error) {
	quote := p.rest[0]
	var value strings.Builder
	for i := 1; i < len(p.rest); i++ {
		c := p.rest[i]
		switch {
		case c == quote:
			p.skip(i + 1)
			return value.String(), p.end()
		case c == '\\' && quote == '"' && i+1 < len(p.rest):
			i++
			value.WriteString(unescaped(p.rest[i]))
		default:
			value.WriteByte(c)
		}
	}
	return "", fmt.Errorf("the value has no closing %c", quote)
}

// unescaped is what a backslash and c stand for in double quotes.
func unescaped(c byte) string {
	switch c {
	case 'n':
		return "\n"
	case 'r':
		return "\r"
	case 't':
		return "\t"
	case '"', '$', '\\':
		return string(rune(c))
	}
	return `\` + string([]byte{c})
}

// end skips the rest of a line, which may hold a comment only.
func (p *envParser) end() error {
	line, _, _ := strings.Cut(p.rest, "\n")
	if !strings.HasPrefix(line, "#") && unquoted(line) != "" {
		return errors.New("there is text after the closing quote; put the whole value in quotes")
	}
	p.endLine(len(line))
	return nil
}

// endLine goes on after the n bytes that are left of a line, and after its end.
func (p *envParser) endLine(n int) { p.skip(min(n+1, len(p.rest))) }

// skip goes on after n bytes.
func (p *envParser) skip(n int) {
	p.line += strings.Count(p.rest[:n], "\n")
	p.rest = p.rest[n:]
}
