package krt

import (
	"io"
	"io/fs"

	"krt.dev/kn-krt/pkg/krt/archive"
)

// ManifestIn returns what can be read of the manifest in bundle; it is empty if there is none.
func ManifestIn(bundle fs.FS) *Manifest {
	for _, name := range archive.ManifestNames() {
		file, err := bundle.Open(name)
		if err != nil {
			continue
		}
		text, err := io.ReadAll(io.LimitReader(file, maxManifest+1))
		_ = file.Close()
		if m, _ := Parse(name, text); err == nil && m != nil {
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
