package term

import (
	"runtime"
	"runtime/debug"
)

// Build describes how the program was built.
type Build struct {
	// Version is a release's, or (devel).
	Version string `json:"version"`
	// Revision is the commit, if the linker knew it; Modified is true if the sources differed from it.
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	// Go is the compiler's version, Platform such as linux/amd64.
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// ReadBuild reads what the Go linker recorded. A program built from changed or unknown
// sources does not claim to be a release.
func ReadBuild() Build {
	b := Build{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if info.Main.Version != "" {
		b.Version = info.Main.Version
	}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			b.Revision = setting.Value
		case "vcs.modified":
			b.Modified = setting.Value == "true"
		}
	}
	return b
}
