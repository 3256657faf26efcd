package krt

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

const (
	ignoreFile = ".krtignore"
	gitIgnore  = ".gitignore"
	maxIgnore  = 64 << 10 // bytes of a .krtignore or .gitignore
	maxRules   = 2_000    // of all that hold in one folder
)

// Reason says why a file or folder is not part of a bundle.
type Reason int

// The reasons.
const (
	// Needless is what tools and editors leave behind: version control, caches, virtual
	// environments, packed bundles.
	Needless Reason = iota
	// Secret is what holds keys and passwords by its name, or a private key by its content.
	Secret
	// Chosen is what a .krtignore or a .gitignore names.
	Chosen
)

// needless are left out unless .krtignore takes them back with "!".
func needless() []string {
	return []string{
		".git", ".hg/", ".svn/", ".jj/", "*.krt",
		"__pycache__/", ".venv/", "venv/", "node_modules/", ".tox/", ".nox/", ".pytest_cache/", ".mypy_cache/", ".ruff_cache/", ".ipynb_checkpoints/",
		".idea/", ".vscode/", "*.sw[op]", "*~", ".#*", `\#*#`, ".DS_Store", "._*", "Thumbs.db", "desktop.ini",
	}
}

// secrets are left out likewise.
func secrets() []string {
	return []string{
		".env", ".env.*", "!.env.example", "!.env.sample", "!.env.template", ".envrc",
		".ssh/", ".aws/", ".azure/", ".gcloud/", ".kube/", ".docker/", ".gnupg/",
		"id_rsa", "id_dsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", "*.ppk", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx",
		".netrc", "_netrc", ".git-credentials", ".pgpass", ".pypirc", ".htpasswd",
	}
}

// keyFiles are left out if they hold a private key: certificates have these names too.
func keyFiles() []string { return []string{"*.pem", "*.key", "*.der", "*.p8"} }

// rule is a pattern with where it stands.
type rule struct {
	pattern
	base   string // the folder it holds below, with a slash, or ""
	reason Reason
	// ifKey: it holds for files with a private key only.
	ifKey bool
	from  string // ".krtignore:3"
}

// ignorer says what is left out of a bundle. It is asked for names in the order of a walk.
type ignorer struct {
	root  *os.Root
	rules []rule // the last one that matches decides
	git   bool   // .gitignore files count
}

// newIgnorer returns the rules for the bundle in root: the built-in ones, those of the options,
// and of .krtignore or, where there is none, of every .gitignore.
func newIgnorer(root *os.Root, o PackOptions) (*ignorer, error) {
	g := &ignorer{root: root}
	for _, list := range []struct {
		lines []string
		rule
	}{
		{needless(), rule{reason: Needless, from: "a built-in rule"}},
		{secrets(), rule{reason: Secret, from: "a built-in rule"}},
		{keyFiles(), rule{reason: Secret, from: "a built-in rule", ifKey: true}},
		{o.Ignore, rule{reason: Needless, from: "an option"}},
	} {
		for _, line := range list.lines {
			if err := g.add(line, list.rule); err != nil {
				return nil, err
			}
		}
	}
	found, err := g.read(ignoreFile, "")
	if err == nil && !found && !o.Archive {
		g.git = true
		_, err = g.read(gitIgnore, "")
	}
	return g, err
}

// add adds a line; like says where it stands.
func (g *ignorer) add(line string, like rule) error {
	p, ok, err := parsePattern(line)
	switch {
	case err != nil && g.git:
		return nil // git's own way with it
	case err != nil:
		return fmt.Errorf("%s: pattern %.80q %w", like.from, line, err)
	case !ok:
		return nil
	case len(g.rules) >= maxRules:
		return fmt.Errorf("more than %d patterns say what to leave out", maxRules)
	}
	like.pattern = p
	g.rules = append(g.rules, like)
	return nil
}

// read adds the rules of the file name in the folder base.
func (g *ignorer) read(name, base string) (found bool, err error) {
	name = base + name
	text, err := readAtMost(g.root, name, maxIgnore+1)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case len(text) > maxIgnore:
		return false, fmt.Errorf("%s is larger than %d bytes", name, maxIgnore)
	}
	for i, line := range strings.Split(strings.TrimPrefix(string(text), "\ufeff"), "\n") {
		if err := g.add(line, rule{base: base, reason: Chosen, from: fmt.Sprintf("%s:%d", name, i+1)}); err != nil {
			return false, err
		}
	}
	return true, nil
}

// enter reads the .gitignore of a folder that the walk goes into.
func (g *ignorer) enter(folder string) error {
	if !g.git {
		return nil
	}
	_, err := g.read(gitIgnore, folder+"/")
	return err
}

// ignore returns the rule that decides about name: it is left out, unless the rule is nil or
// negated. The manifest is never left out.
func (g *ignorer) ignore(name string, folder bool) *rule {
	if slices.Contains(manifestNames(), name) {
		return nil
	}
	// Rules of folders that the walk has left hold no more.
	for last := len(g.rules) - 1; last >= 0 && !strings.HasPrefix(name, g.rules[last].base); last-- {
		g.rules = g.rules[:last]
	}
	for i := range slices.Backward(g.rules) {
		if r := &g.rules[i]; g.decides(r, name, folder) {
			return r
		}
	}
	if _, err := g.root.Stat(path.Join(name, "pyvenv.cfg")); folder && err == nil {
		return &rule{reason: Needless, from: "a built-in rule"}
	}
	return nil
}

// decides says that rule r is about name.
func (g *ignorer) decides(r *rule, name string, folder bool) bool {
	if r.folders && !folder || !r.match(strings.TrimPrefix(name, r.base)) {
		return false
	}
	return !r.ifKey || !folder && g.holdsKey(name)
}

// holdsKey tells whether the file name holds a private key, as text or in DER.
func (g *ignorer) holdsKey(name string) bool {
	text, err := readAtMost(g.root, name, maxSecret)
	// A PKCS #8 key in DER is a sequence that begins with the number 0.
	der := len(text) > 7 && text[0] == 0x30 && text[1] == 0x82 && bytes.Equal(text[4:7], []byte{2, 1, 0})
	return err == nil && (privateKey.Match(text) || der)
}
