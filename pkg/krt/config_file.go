package krt

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"
)

// FilePathSuffix ends the name of the variable with a config file's path where the
// variable of the file's own name holds the content.
const FilePathSuffix = "_PATH"

// maxVariableBytes is how long NAME=VALUE and its end may be for Linux to start a process
// with it.
const maxVariableBytes = 128 << 10

// OriginalRunner reports whether image is a runner of the original platform,
// konstellation/kre-* of any registry.
func OriginalRunner(image string) bool {
	bare, _, _ := strings.Cut(image, "@")
	return path.Base(path.Dir(bare)) == "konstellation" && strings.HasPrefix(path.Base(bare), "kre-")
}

// FileContent reports whether the variable of a config file holds its content, as it did on
// the original platform, and not its path. It does for nodes on one of that platform's
// runners.
func (n Node) FileContent() bool { return OriginalRunner(n.Image) }

// CheckVariable returns why no process starts with an environment variable of that name and
// value; nil if one does. The error has nothing of the value.
func CheckVariable(name, value string) error {
	switch size := len(name) + len("=") + len(value) + 1; {
	case !utf8.ValidString(value) || strings.ContainsRune(value, 0):
		return errors.New("it is not UTF-8 text or has a zero byte, which no environment variable can hold")
	case size > maxVariableBytes:
		return fmt.Errorf("it has %d bytes, and an environment variable has at most 128 KiB with its name", len(value))
	}
	return nil
}
