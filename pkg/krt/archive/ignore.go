package archive

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"krt.dev/kn-krt/pkg/krt/untrusted"
)

// IgnoreFile is the file of a bundle that names what is left out of it.
const IgnoreFile = ".krtignore"

const (
	gitIgnore = ".gitignore"
	maxIgnore = 64 << 10 // bytes of a .krtignore or .gitignore
	maxRules  = 2_000    // of all that hold in one folder
)

// Reason is why a file or folder is not part of a bundle.
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

// builtIn is where the rules below come from.
const builtIn = "a built-in rule"

// needless are left out unless .krtignore names them with "!".
func needless() []string {
	return []string{
		".git", ".hg/", ".svn/", ".jj/", "*.krt",
		"__pycache__/", ".venv/", "venv/", "node_modules/", ".tox/", ".nox/", ".pytest_cache/", ".mypy_cache/", ".ruff_cache/",
		".ipynb_checkpoints/",
		".idea/", ".vscode/", "*.sw[op]", "*~", ".#*", `\#*#`, ".DS_Store", "._*", "Thumbs.db", "desktop.ini",
		".krt.schema.json", // for editors
	}
}

// secrets are left out likewise, in any letter case. They are in lower case here.
func secrets() []string {
	return []string{
		".env", ".env.*", "!.env.example", "!.env.sample", "!.env.template", ".envrc",
		".ssh/", ".aws/", ".azure/", ".gcloud/", "**/.config/gcloud/", ".kube/", ".docker/", ".gnupg/", ".oci/", ".kaggle/", ".huggingface/",
		"id_rsa", "id_dsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", "*.ppk", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx",
		"*.keytab", "krb5cc_*", ".netrc", "_netrc", ".git-credentials", ".pgpass", ".my.cnf", ".pypirc", ".htpasswd", ".s3cfg", ".boto",
		"kubeconfig", "*.kubeconfig", ".dockercfg", ".dockerconfigjson", "kaggle.json", "application_default_credentials.json",
		"**/huggingface/token", "**/huggingface/stored_tokens", ".vault-token", ".databrickscfg",
	}
}

// keyFiles are left out if they hold a private key: certificates have these names too.
func keyFiles() []string { return []string{"*.pem", "*.key", "*.der", "*.p8"} }

// rule is a pattern with its place.
type rule struct {
	pattern
	base   string // the folder it holds below, with a slash, or ""
	reason Reason
	// ifKey: it holds for files with a private key only.
	ifKey bool
	// anyCase: its pattern is in lower case and matches in any: what a secret is called differs by system.
	anyCase bool
	// takesBack: a line of .krtignore that names what it takes in, without a wildcard. No other
	// undoes a built-in rule: "!src/**" does not mean the keys below src.
	takesBack bool
	from      string // ".krtignore:3"
}

// ignorer decides what is left out of a bundle. Names must come in the order of a walk.
type ignorer struct {
	root    *os.Root
	builtIn []rule // of each list, the last one that matches decides
	rules   []rule // the options' and the files'
	git     bool   // .gitignore files count
	work    int64  // done by matching, in bytes of patterns times bytes of names
	most    int64  // of work
}

// newIgnorer returns the rules for the bundle in root: the built-in ones, those of the options,
// and of .krtignore or, where there is none, of every .gitignore.
func newIgnorer(root *os.Root, o PackOptions) (*ignorer, error) {
	g := &ignorer{root: root, most: o.Limits.withDefaults().MaxWork}
	for _, list := range []struct {
		to    *[]rule
		lines []string
		rule
	}{
		{&g.builtIn, needless(), rule{reason: Needless, from: builtIn}},
		{&g.builtIn, secrets(), rule{reason: Secret, anyCase: true, from: builtIn}},
		{&g.builtIn, keyFiles(), rule{reason: Secret, anyCase: true, from: builtIn, ifKey: true}},
		{&g.rules, o.Ignore, rule{reason: Needless, from: "an option"}},
	} {
		for _, line := range list.lines {
			if err := g.add(list.to, line, list.rule); err != nil {
				return nil, err
			}
		}
	}
	found, err := g.read(IgnoreFile, "")
	if err == nil && !found && !o.Archive {
		g.git = true
		_, err = g.read(gitIgnore, "")
	}
	return g, err
}

// add adds a line to the list; like has its place.
func (g *ignorer) add(to *[]rule, line string, like rule) error {
	p, ok, err := parsePattern(line)
	switch {
	case err != nil && g.git:
		return nil // git's own way with it
	case err != nil:
		return fmt.Errorf("%s: pattern %.80q %w", like.from, line, err)
	case !ok:
		return nil
	case len(*to) >= maxRules:
		return fmt.Errorf("more than %d ignore patterns", maxRules)
	}
	like.pattern = p
	like.takesBack = like.takesBack && p.negated && p.named
	*to = append(*to, like)
	return nil
}

// read adds the rules of the file name in the folder base.
func (g *ignorer) read(name, base string) (found bool, err error) {
	name = base + name
	text, err := untrusted.ReadFile(g.root.FS(), name, maxIgnore+1)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case len(text) > maxIgnore:
		return false, fmt.Errorf("%s is larger than %d bytes", name, maxIgnore)
	}
	for i, line := range strings.Split(strings.TrimPrefix(string(text), "\ufeff"), "\n") {
		like := rule{base: base, reason: Chosen, takesBack: name == IgnoreFile, from: fmt.Sprintf("%s:%d", name, i+1)}
		if err := g.add(&g.rules, line, like); err != nil {
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
