package image

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"krt.dev/kn-krt/pkg/image/cache"
	"krt.dev/kn-krt/pkg/krt/untrusted"
)

// ErrNoPython is returned for a base image whose Python cannot be found.
var ErrNoPython = errors.New("it contains no program python3.N")

var (
	pythonMinor   = regexp.MustCompile(`^3\.[0-9]+`)
	pythonProgram = regexp.MustCompile(`^(?:\./)?(usr/local/|usr/|opt/[^/]+/)?bin/python(3\.[0-9]+)$`)
)

// pythonVersion returns the version of b's Python, "3.12": as configured, as the official
// images have it in their environment, or from the name of the interpreter in it. For the last, the base's
// layers are read, once.
func (s *session) pythonVersion(ctx context.Context, b base) (string, error) {
	for _, said := range []string{s.o.PythonVersion, getEnv(b.config.Config.Env, "PYTHON_VERSION")} {
		if minor := pythonMinor.FindString(said); minor != "" {
			return minor, nil
		}
	}
	type key struct{ v1.Hash }
	version, err := once(s.memo, key{b.digest}, func() (string, error) {
		known := s.cache.Path(cache.Layers, "python-"+b.digest.Hex)
		if text, err := os.ReadFile(known); err == nil {
			return string(text), nil
		}
		version, err := findInterpreter(ctx, b.image)
		if err != nil {
			return "", err
		}
		return version, cache.Write(known, []byte(version))
	})
	if err != nil {
		if errors.Is(err, ErrNoPython) {
			return "", fmt.Errorf("the base image %q has no Python: %w: choose one with Python 3.9 or later, such as %s",
				b.ref.Name(), err, DefaultPythonBase)
		}
		return "", fmt.Errorf("cannot determine the Python version of the base image %q: %w", b.ref.Name(), err)
	}
	return version, nil
}

// findInterpreter looks for a program python3.N in the folders of an image's PATH: the one in /usr/local
// takes precedence over the system's.
func findInterpreter(ctx context.Context, image v1.Image) (string, error) {
	layers, err := image.Layers()
	if err != nil {
		return "", err
	}
	found := map[string]string{} // by folder
	// The uppermost layer that has one: it is smaller than the system's, and replaces it.
	for i := len(layers) - 1; i >= 0 && len(found) == 0; i-- {
		if err := findIn(ctx, layers[i], found); err != nil {
			return "", err
		}
	}
	for _, folder := range []string{"usr/local/", "usr/", ""} {
		if found[folder] != "" {
			return found[folder], nil
		}
	}
	for _, version := range found {
		return version, nil
	}
	return "", ErrNoPython
}

func findIn(ctx context.Context, l v1.Layer, found map[string]string) error {
	content, err := l.Uncompressed()
	if err != nil {
		return err
	}
	defer content.Close()
	files := tar.NewReader(untrusted.Until(ctx, content))
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if match := pythonProgram.FindStringSubmatch(strings.Trim(header.Name, "/")); match != nil {
			found[match[1]] = match[2]
		}
	}
}
