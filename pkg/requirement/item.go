package requirement

import (
	"errors"
	"regexp"
	"strings"
)

// The tokens of a line (PEP 508). All begin where the scanner is.
var (
	nameToken    = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?`)
	versionToken = regexp.MustCompile(`^(===|==|~=|!=|<=|>=|<|>)[ \t]*([A-Za-z0-9*][A-Za-z0-9.*+!_-]*)`)
	hashToken    = regexp.MustCompile(`^--hash(?:=|[ \t]+)(sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})(?:[ \t]|$)`)
	wheelPath    = regexp.MustCompile(`^[A-Za-z0-9._+!/-]+\.whl`)
)

// scanner goes through a line.
type scanner struct{ rest string }

// take takes what token matches, and blanks after it.
func (s *scanner) take(token *regexp.Regexp) (found []string) {
	if found = token.FindStringSubmatch(s.rest); found != nil {
		s.rest = strings.TrimLeft(s.rest[len(found[0]):], " \t")
	}
	return found
}

// taken reports whether word came next, and takes it and blanks after it.
func (s *scanner) taken(word string) bool {
	rest, ok := strings.CutPrefix(s.rest, word)
	if ok {
		s.rest = strings.TrimLeft(rest, " \t")
	}
	return ok
}

var errSyntax = errors.New("it is not a requirement")

// parseItem reads a line that names a package or a wheel.
func parseItem(line string) (Item, error) {
	var i Item
	s := &scanner{strings.TrimLeft(line, " \t")}
	err := i.what(s)
	if err == nil && s.taken(";") {
		i.Marker, err = s.marker()
	}
	for err == nil && strings.HasPrefix(s.rest, "-") {
		found := s.take(hashToken)
		if found == nil {
			return i, refused(line, "has an option that is not a hash of SHA-256, SHA-384 or SHA-512", "write --hash=sha256:HEX, or leave it out")
		}
		i.Hashes = append(i.Hashes, found[1])
	}
	if err == nil && s.rest == "" {
		return i, nil
	}
	if err := refusePlace(line); err != nil {
		return i, err
	}
	return i, refused(line, "is not a requirement",
		"write NAME==VERSION, with [extras] before the version and a marker after ';' where needed")
}

// what reads the package or wheel that a line begins with.
func (i *Item) what(s *scanner) error {
	if wheel := s.take(wheelPath); wheel != nil {
		i.Wheel = wheel[0]
		return i.extras(s)
	}
	name := s.take(nameToken)
	if name == nil || archived(name[0]) { // pip takes an archive for a file, whatever it is called
		return errSyntax
	}
	i.Name = name[0]
	if err := i.extras(s); err != nil {
		return err
	}
	bracket := s.taken("(")
	var versions []string
	for v := s.take(versionToken); v != nil; v = s.take(versionToken) {
		versions = append(versions, v[1]+v[2])
		if !s.taken(",") {
			break
		}
	}
	i.Versions = strings.Join(versions, ",")
	if bracket && !s.taken(")") {
		return errSyntax
	}
	return nil
}

// extras reads the extras in brackets that may follow a name.
func (i *Item) extras(s *scanner) error {
	if !s.taken("[") {
		return nil
	}
	for !s.taken("]") {
		extra := s.take(nameToken)
		if extra == nil || !s.taken(",") && !strings.HasPrefix(s.rest, "]") {
			return errSyntax
		}
		i.Extras = append(i.Extras, extra[0])
	}
	return nil
}
