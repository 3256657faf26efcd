package usercode

import (
	"debug/buildinfo"
	"errors"
	"os"
	"runtime/debug"
	"slices"

	"krt.dev/kn-krt/pkg/krt/untrusted"
)

// IsProgram reports whether src begins like a program for Linux.
func IsProgram(root *os.Root, src string) bool {
	magic, err := untrusted.ReadFile(root.FS(), src, 4)
	return err == nil && string(magic) == "\x7fELF"
}

// LinkedRunner returns the path and version of the original's runner that a program is
// linked with; "" if there is none, or no build info.
func LinkedRunner(root *os.Root, src string) string {
	info, err := buildInfo(root, src)
	if err != nil {
		return "" // no Go program, or one without build info: it may still be a runner
	}
	if slices.ContainsFunc(info.Deps, func(d *debug.Module) bool { return d.Path == runnerModule }) {
		return ""
	}
	for _, dependency := range info.Deps {
		if kreModulePattern.MatchString(dependency.Path) {
			return dependency.Path + " " + dependency.Version
		}
	}
	return ""
}

// buildInfo reads the build info in a Go program. The standard library does not promise to
// survive every hostile file.
func buildInfo(root *os.Root, src string) (info *buildinfo.BuildInfo, err error) {
	file, err := root.Open(src)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	defer func() {
		if p := recover(); p != nil {
			info, err = nil, errors.New("no readable program")
		}
	}()
	return buildinfo.Read(file)
}

// LinkedWithOriginal reports whether a Go program is linked with a module of the original's runner, the
// original itself or the one that replaces it.
func LinkedWithOriginal(root *os.Root, src string) bool {
	info, err := buildInfo(root, src)
	return err == nil && slices.ContainsFunc(info.Deps, func(d *debug.Module) bool { return kreModulePattern.MatchString(d.Path) })
}
