package krt

import (
	"io/fs"

	"krt.dev/kn-krt/pkg/krt/archive"
	"krt.dev/kn-krt/pkg/krt/untrusted"
)

// ManifestIn returns what can be read of the manifest in bundle; it is empty if there is none.
func ManifestIn(bundle fs.FS) *Manifest {
	for _, name := range archive.ManifestNames() {
		text, err := untrusted.ReadFile(bundle, name, maxManifest+1)
		if err != nil {
			continue
		}
		if m, _ := Parse(name, text); m != nil {
			return m
		}
		break
	}
	return &Manifest{}
}

// EntrypointProto returns the proto that the manifest in bundle names, "" if it names none
// that is there.
func EntrypointProto(bundle fs.FS) string {
	proto := ManifestIn(bundle).Entrypoint.Proto
	if info, err := fs.Stat(bundle, proto); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return proto
}
