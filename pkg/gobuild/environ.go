package gobuild

import (
	"path/filepath"
	"slices"
	"strings"
)

// kept are the go command's variables that stay as the user has them: where it keeps its files, where
// modules come from and who may have them, and what it may use of the machine. None changes what is built.
var kept = []string{
	"GOPATH", "GOROOT", "GOCACHE", "GOMODCACHE", "GOTMPDIR", "GOENV", "GODEBUG", "GOGC", "GOMAXPROCS", "GOMEMLIMIT",
	"GOPROXY", "GOPRIVATE", "GONOPROXY", "GOSUMDB", "GONOSUMDB", "GOINSECURE", "GOVCS", "GOAUTH", "GOTELEMETRY",
}

// Environ returns the environment in which the go command builds code of a bundle for the platform: env, in
// which nothing is left that changes what is built or lets another program run meanwhile (GOFLAGS, GOWORK,
// GOTOOLCHAIN, cgo). So the same bundle builds alike for everybody, and what a bundle brings for the go
// command's own settings counts for nothing.
func Environ(env []string, goos, goarch string) []string {
	mine := slices.DeleteFunc(slices.Clone(env), func(pair string) bool {
		name, value, _ := strings.Cut(pair, "=")
		switch {
		case name == "GOENV":
			return !filepath.IsAbs(value) // a file of the folder that is built
		case strings.HasPrefix(name, "GO"):
			return isGoVariable(name) && !slices.Contains(kept, name)
		}
		return strings.HasPrefix(name, "CGO_")
	})
	return append(mine,
		// Each is set: one that is not is read from the file of "go env -w", and an empty one as well.
		"GOFLAGS=-buildvcs=false", "GO111MODULE=on", "GOWORK=off", "GOTOOLCHAIN=local", "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+goarch)
}

// isGoVariable reports whether name is written as the go command's are: GO and capitals.
func isGoVariable(name string) bool {
	return !strings.ContainsFunc(name, func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '0' || r > '9') })
}
