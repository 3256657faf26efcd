package archive

import (
	"context"
	"encoding/asn1"
	"errors"
	"path"
	"slices"
	"strings"

	"krt.dev/kn-krt/pkg/krt/untrusted"
)

// errTooMuchWork is returned for patterns that would keep a person waiting.
var errTooMuchWork = errors.New("matching the ignore patterns against so many files takes too long: " +
	"ignore whole folders instead, or use fewer patterns with fewer \"*\"")

// StateMark is the .gitignore of a folder where a local run keeps what it keeps. No bundle takes
// such a folder in.
const StateMark = "# What kn-krt run keeps between runs. It may be deleted while none is running.\n*\n"

// asked is a name that rules are asked about.
type asked struct {
	name, text string // text is the name with a character for each byte
	folder     bool
}

// ignore returns the rule that decides about name: it is left out, unless the rule is nil or
// negated. The manifest and .krtignore are never left out: images that are made of the packed
// bundle follow the same rules.
//
// Built-in rules apply whatever the files contain, unless a line of .krtignore includes name.
func (g *ignorer) ignore(ctx context.Context, name string, folder bool) (*rule, error) {
	if name == IgnoreFile || slices.Contains(ManifestNames(), name) {
		return nil, nil
	}
	g.leave(name)
	about := asked{name, bytesAsText(name), folder}
	own, err := g.ofFiles(ctx, about)
	if err != nil || own != nil && (!own.negated || own.takesBack) {
		return own, err
	}
	by, err := g.last(ctx, g.builtIn, about, nil)
	switch {
	case err != nil || by != nil && !by.negated:
		return by, err
	case folder && g.made(name):
		return &rule{reason: Needless, from: builtIn}, nil
	}
	return own, nil
}

// leave drops the rules of folders that the walk has left when it comes to name.
func (g *ignorer) leave(name string) {
	for last := len(g.rules) - 1; last >= 0 && !strings.HasPrefix(name, g.rules[last].base); last-- {
		g.rules = g.rules[:last]
	}
}

// ofFiles returns the rule of the files, and the options, that decides.
func (g *ignorer) ofFiles(ctx context.Context, about asked) (*rule, error) {
	own, err := g.last(ctx, g.rules, about, nil)
	if own == nil || !own.negated || own.takesBack {
		return own, err
	}
	// A wildcard takes it in: an earlier line may have named it.
	named, err := g.last(ctx, g.rules, about, func(r *rule) bool { return !r.negated || r.takesBack })
	if named != nil && named.takesBack {
		return named, err
	}
	return own, err
}

// last returns the last of rules that is about a name; nil if none is. Only those count
// for which some is true, unless it is nil.
func (g *ignorer) last(ctx context.Context, rules []rule, about asked, some func(*rule) bool) (*rule, error) {
	for i := range slices.Backward(rules) {
		r := &rules[i]
		if some != nil && !some(r) {
			continue
		}
		if found, err := g.decides(ctx, r, about); err != nil || found {
			return r, err
		}
	}
	return nil, nil
}

// decides reports whether rule r is about a name.
func (g *ignorer) decides(ctx context.Context, r *rule, about asked) (bool, error) {
	name, text := strings.TrimPrefix(about.name, r.base), about.text
	if r.anyCase {
		name = strings.ToLower(name)
	}
	if r.folders && !about.folder || !r.may(name) {
		return false, nil
	}
	if r.base != "" || r.anyCase {
		text = bytesAsText(name)
	}
	if g.work += int64(len(r.text)+1) * int64(len(text)); g.work > g.most {
		return false, errTooMuchWork
	}
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	return r.match(name, text) && (!r.ifKey || !about.folder && g.holdsKey(about.name)), nil
}

// made reports whether the folder name is one that tools make: a virtual environment, or where a
// local run keeps what it keeps.
func (g *ignorer) made(name string) bool {
	if _, err := g.root.Stat(path.Join(name, "pyvenv.cfg")); err == nil {
		return true
	}
	mark, err := untrusted.ReadFile(g.root.FS(), path.Join(name, gitIgnore), int64(len(StateMark))+1)
	return err == nil && string(mark) == StateMark
}

// holdsKey reports whether the file name holds a private key.
func (g *ignorer) holdsKey(name string) bool {
	text, err := untrusted.ReadFile(g.root.FS(), name, maxSecret)
	return err == nil && isPrivateKey(text)
}

// isPrivateKey reports whether text holds a private key, as text or in DER.
func isPrivateKey(text []byte) bool { return privateKey.Match(text) || isKeyInDER(text) }

// isKeyInDER reports whether text is a private key in DER, of any kind: PKCS #8 (RFC 5958), of RSA
// (RFC 8017) and of elliptic curves (RFC 5915) alike are a sequence that begins with a version, 0
// or 1, and holds more. Certificates, requests and public keys begin with a sequence or a large
// number. An encrypted one (PKCS #8) is a sequence of the method and the bytes.
func isKeyInDER(text []byte) bool {
	var whole, second asn1.RawValue
	rest, err := asn1.Unmarshal(text, &whole)
	if err != nil || whole.Class != asn1.ClassUniversal || whole.Tag != asn1.TagSequence || len(rest) > 2 { // a line's end
		return false
	}
	var version int
	more, err := asn1.Unmarshal(whole.Bytes, &version)
	if err == nil {
		return (version == 0 || version == 1) && len(more) > 16 // no key is shorter
	}
	var method struct {
		Name       asn1.ObjectIdentifier
		Parameters asn1.RawValue `asn1:"optional"`
	}
	if more, err = asn1.Unmarshal(whole.Bytes, &method); err != nil {
		return false
	}
	more, err = asn1.Unmarshal(more, &second)
	return err == nil && len(more) == 0 && second.Class == asn1.ClassUniversal && second.Tag == asn1.TagOctetString
}
