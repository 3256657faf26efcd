package archive

import (
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"krt.dev/kn-krt/pkg/krt/untrusted"
)

const (
	// maxSecret is the size up to which a file is searched for keys, in bytes. Larger ones are data.
	maxSecret = 64 << 10
	// maxScanned is how many bytes of all files are searched.
	maxScanned = 64 << 20
	// maxSecrets is how many files are reported.
	maxSecrets = 20
)

var (
	privateKey = regexp.MustCompile(`-----BEGIN [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----`)
	// accessKey are keys that show by their form whose they are: AWS, GitHub, GitLab, Slack, Google, Hugging Face, OpenAI and
	// others that begin alike, npm, PyPI, Docker Hub, Stripe, HashiCorp Vault, Databricks.
	accessKey = regexp.MustCompile(`\b(A[KS]IA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,}|glpat-[A-Za-z0-9_-]{20}|` +
		`xox[abprs]-[A-Za-z0-9-]{10,}|AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,}|hf_[A-Za-z0-9]{30,}|` +
		`sk-[A-Za-z0-9]{32,}|sk-(proj|svcacct|admin|ant|or|lf)-[A-Za-z0-9_-]{20,}|npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{80,}|` +
		`dckr_pat_[A-Za-z0-9_-]{20,}|[rs]k_live_[A-Za-z0-9]{20,}|hvs\.[A-Za-z0-9_-]{24,}|dapi[0-9a-f]{32})`)
	// credentials are what clients keep to log in with, by whatever name: kubectl, Docker, gcloud, Kaggle.
	credentials = regexp.MustCompile(`(?m)^\s*(client-key-data:\s*\S|token:\s*["']?eyJ[A-Za-z0-9_-]{10,}\.)|"client-key-data"\s*:\s*"|` +
		`"auths"\s*:\s*\{\s*"[^"]*"\s*:\s*\{\s*"auth"\s*:\s*"[^"]|` +
		`"refresh_token"\s*:\s*"[^"]{20}|"username"\s*:\s*"[^"]*"\s*,\s*"key"\s*:\s*"[0-9a-f]{32}"`)
	// secretName are names of files that hold nothing else.
	secretName = regexp.MustCompile(`(?i)^(\.?(secrets?|credentials?|passwords?|passwd)(\.(json|ya?ml|toml|ini|cfg|conf|txt|properties))?|` +
		`.+\.env|` +
		`.*\.tfstate|\.npmrc)$`)
)

// looksSecret returns why file looks like a secret; "" if it does not.
func looksSecret(root *os.Root, file File) string {
	if secretName.MatchString(path.Base(file.Name)) {
		return "its name"
	}
	if file.Info.Size() > maxSecret {
		return ""
	}
	text, err := untrusted.ReadFile(root.FS(), file.Name, maxSecret)
	switch {
	case err != nil:
		return ""
	case isPrivateKey(text):
		return "a private key in it"
	case accessKey.Match(text):
		return "an access key in it"
	case credentials.Match(text):
		return "credentials in it"
	}
	return ""
}

// suspected reports whether a packed bundle has file by a name for which it would have been left out.
func (c *Contents) suspected(file string) bool {
	return slices.ContainsFunc(c.suspects, func(s string) bool { return file == s || strings.HasSuffix(s, "/") && strings.HasPrefix(file, s) })
}

// Finding is a file of a bundle that looks like a secret.
type Finding struct {
	// Name is its path from the bundle's root.
	Name string
	// Why is the reason: "its name".
	Why string
}

// Secrets returns the files of c, in root, that look like secrets, at most 20; more is true if there are
// more. Files that .krtignore includes by their name are wanted.
func (c *Contents) Secrets(root *os.Root) (found []Finding, more bool) {
	scanned := int64(0)
	for _, file := range c.Files {
		if scanned += min(file.Info.Size(), maxSecret); scanned > maxScanned {
			return found, false
		}
		if c.takenBack[file.Name] {
			continue
		}
		why := looksSecret(root, file)
		if why == "" && c.suspected(file.Name) {
			why = "its name"
		}
		if why == "" {
			continue
		}
		if len(found) == maxSecrets {
			return found, true
		}
		found = append(found, Finding{file.Name, why})
	}
	return found, false
}
