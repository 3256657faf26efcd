package krt

import (
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
)

const (
	// maxSecret is how much of a file is looked at for keys, in bytes. What has more is data.
	maxSecret = 64 << 10
	// maxScanned is how much of all files is.
	maxScanned = 64 << 20
	// maxSecrets is how many files are named.
	maxSecrets = 20
)

var (
	privateKey = regexp.MustCompile(`-----BEGIN [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----`)
	// accessKey are keys that say by their form whose they are: AWS, GitHub, GitLab, Slack, Google.
	accessKey = regexp.MustCompile(`\b(AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,}|glpat-[A-Za-z0-9_-]{20}|xox[abprs]-[A-Za-z0-9-]{10,}|AIza[A-Za-z0-9_-]{35})`)
	// secretName are names of files that hold nothing else.
	secretName = regexp.MustCompile(`(?i)^(\.?(secrets?|credentials?|passwords?|passwd)(\.(json|ya?ml|toml|ini|cfg|conf|txt|properties))?|.+\.env|kubeconfig|.*\.tfstate|\.npmrc|\.dockercfg)$`)
)

// looksSecret says why file looks as if it should not leave this machine; "" if it does not.
func looksSecret(root *os.Root, file File) string {
	if secretName.MatchString(path.Base(file.Name)) {
		return "its name"
	}
	if file.Info.Size() > maxSecret {
		return ""
	}
	text, err := readAtMost(root, file.Name, maxSecret)
	switch {
	case err != nil:
		return ""
	case isPrivateKey(text):
		return "a private key in it"
	case accessKey.Match(text):
		return "an access key in it"
	}
	return ""
}

// suspected says that a packed bundle has file by a name for which it would have been left out.
func (c *Contents) suspected(file string) bool {
	return slices.ContainsFunc(c.suspects, func(s string) bool { return file == s || strings.HasSuffix(s, "/") && strings.HasPrefix(file, s) })
}

// checkSecrets warns of files that are packed and look like secrets. Those that a person has
// named with "!" in .krtignore are what he wants.
func (r *reader) checkSecrets(root *os.Root, c *Contents, archive bool) {
	advice := "; name it in " + ignoreFile + ", or take the secret out of it"
	if archive {
		advice = "; if it is one, pack the bundle without it"
	}
	found, scanned := 0, int64(0)
	for _, file := range c.Files {
		if scanned += min(file.Info.Size(), maxSecret); scanned > maxScanned {
			return
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
		if found++; found > maxSecrets {
			r.add(Problem{Warning: true, Text: "more files look like secrets"}, "")
			return
		}
		r.add(Problem{
			File: file.Name, Warning: true,
			Text: "looks like a secret (" + why + ") and is part of the bundle and of its images" + advice,
		}, "")
	}
}
