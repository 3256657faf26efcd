package requirement

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// What lines are that run code of others or reach beyond the bundle, and what to write instead.
const (
	wheelInstead = "put a wheel of it into the bundle and write its path, such as ./wheels/NAME-1.0-py3-none-any.whl"
	indexInstead = "leave it out and name the index where images are made, in PIP_INDEX_URL, PIP_EXTRA_INDEX_URL or pip's own configuration"
	leaveOut     = "leave it out"
)

// userinfo is the user and password of an address, up to the last "@" that may end it.
var userinfo = regexp.MustCompile(`//(?:[^\s/]*:\S*|[^\s/]+)@`)

// refusal is why a line is refused: what it is, without passwords, and what to do.
func refusal(line, what, instead string) string {
	return fmt.Sprintf("%.*q %s: %s", maxShown, userinfo.ReplaceAllString(line, "//***@"), what, instead)
}

func refused(line, what, instead string) error { return errors.New(refusal(line, what, instead)) }

func refuseOption(line, name string) string {
	switch name {
	case "-e", "--editable":
		return refusal(line, "is an editable install, whose build would run where the image is made",
			wheelInstead+", or put its modules next to the node's code")
	case "-i", "--index-url", "--pypi-url", "--extra-index-url", "--no-index", "--trusted-host":
		return refusal(line, "chooses the package index, which is set on the machine that builds images", indexInstead)
	case "-f", "--find-links":
		return refusal(line, "is a place to find packages",
			"write the path of each wheel of the bundle, such as ./wheels/NAME-1.0-py3-none-any.whl")
	case "--no-binary":
		return refusal(line, "asks for builds, which would run where the image is made", "only wheels are installed: "+leaveOut)
	case "--hash":
		return refusal(line, "is a hash without a package", "write it on the line of the package, or end the line before with a backslash")
	}
	return refusal(line, "is an option that requirements of a node may not have", leaveOut)
}

var (
	scheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:`)
	direct = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*\s*(\[[^\]]*\])?\s*@`)
)

// refusePlace returns why a line that names a location is refused; nil if it names none.
func refusePlace(line string) error {
	word, _, _ := strings.Cut(line, ";")
	word = strings.TrimSpace(word)
	switch {
	case scheme.MatchString(word) && !strings.Contains(word, " "), strings.Contains(word, "://"):
		return refused(line, "is downloaded from a URL of its own, and built if it is not a wheel", "write NAME==VERSION, or "+wheelInstead)
	case direct.MatchString(word):
		return refused(line, "names where the package is downloaded from", "write NAME==VERSION, or "+wheelInstead)
	}
	file, _, _ := strings.Cut(word, " ")
	if strings.ContainsAny(file, `/\~`) || file == "." || file == ".." || archived(file) {
		return refused(line, "is a folder or an archive of sources, whose build would run where the image is made",
			wheelInstead)
	}
	return nil
}

// archived reports whether pip takes name for that of an archive of sources.
func archived(name string) bool {
	return slices.Contains([]string{".zip", ".gz", ".tgz", ".bz2", ".tbz", ".xz", ".txz", ".tlz", ".lz", ".lzma", ".tar"},
		strings.ToLower(path.Ext(name)))
}
