package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// blobDir holds the layers of every image. It is kept; manifests are only in
// the registry's memory and are given back to it from image sets.
func blobDir(p place) string { return filepath.Join(p.Cache, "blobs") }

// imageSet is what is needed to have images again after a restart without
// building them: their manifests, and whatever names them.
type imageSet struct {
	file      string
	Manifests []manifest
	Text      string // the YAML that refers to the images, if any
}

type manifest struct {
	Repository, Reference, Type string
	Content                     []byte
}

// load reads the set, which is of use only while all its layers are there.
func (set *imageSet) load(p place) error {
	text, err := os.ReadFile(set.file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, set); err != nil {
		return fmt.Errorf("%s: %w", set.file, err)
	}
	for _, m := range set.Manifests {
		for _, digest := range m.blobs() {
			if _, err := os.Stat(filepath.Join(blobDir(p), strings.Replace(digest, ":", "/", 1))); err != nil {
				return err
			}
		}
	}
	return nil
}

func (set *imageSet) cached(p place) bool {
	try := imageSet{file: set.file}
	return try.load(p) == nil
}

func (m manifest) blobs() []string {
	var content struct {
		Config struct{ Digest string }
		Layers []struct{ Digest string }
	}
	if json.Unmarshal(m.Content, &content) != nil {
		return nil
	}
	digests := []string{content.Config.Digest}
	for _, layer := range content.Layers {
		digests = append(digests, layer.Digest)
	}
	return digests
}

// ensure gives the registry the images of the set, which build pushes to it if
// they are not cached. References read REPOSITORY:TAG or REPOSITORY@DIGEST.
func (set *imageSet) ensure(ctx context.Context, p place, build func() ([]string, error)) error {
	if set.load(p) == nil {
		return set.push(ctx)
	}
	references, err := build()
	if err != nil {
		return err
	}
	set.Manifests = nil
	for _, reference := range references {
		m, err := pullManifest(ctx, reference)
		if err != nil {
			return err
		}
		set.Manifests = append(set.Manifests, m)
	}
	text, err := json.Marshal(set)
	if err != nil {
		return err
	}
	return writeWhole(set.file, text)
}

func (set *imageSet) push(ctx context.Context) error {
	for _, m := range set.Manifests {
		if _, err := registryCall(ctx, http.MethodPut, m); err != nil {
			return err
		}
	}
	return nil
}

func pullManifest(ctx context.Context, reference string) (manifest, error) {
	path := strings.TrimPrefix(reference, registry+"/")
	at := strings.IndexAny(path, "@:")
	if at < 0 {
		return manifest{}, fmt.Errorf("image %q has neither tag nor digest", reference)
	}
	return registryCall(ctx, http.MethodGet, manifest{Repository: path[:at], Reference: path[at+1:]})
}

func registryCall(ctx context.Context, method string, m manifest) (manifest, error) {
	url := "http://" + registry + "/v2/" + m.Repository + "/manifests/" + m.Reference
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(m.Content))
	if err != nil {
		return m, err
	}
	if m.Type != "" {
		request.Header.Set("Content-Type", m.Type)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return m, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return m, err
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return m, fmt.Errorf("%s %s: %s: %s", method, url, response.Status, content)
	}
	if method == http.MethodGet {
		m.Type, m.Content = response.Header.Get("Content-Type"), content
	}
	return m, nil
}

// pruneBlobs deletes layers that no image set has: those of former tests.
func pruneBlobs(p place) error {
	files, err := filepath.Glob(filepath.Join(p.Cache, "images", "*.json"))
	if err != nil {
		return err
	}
	kept := map[string]bool{}
	for _, file := range files {
		set := imageSet{file: file}
		if err := set.load(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, m := range set.Manifests {
			for _, digest := range m.blobs() {
				kept[strings.TrimPrefix(digest, "sha256:")] = true
			}
		}
	}
	return filepath.WalkDir(blobDir(p), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || kept[entry.Name()] {
			return err
		}
		return os.Remove(path) //nolint:gosec // nobody else writes there
	})
}

// baseSet holds the images that everything else stands on: pause, the base for
// Go programs and the one with Python.
func baseSet(ctx context.Context, p place) (*imageSet, error) {
	dir, err := tool{name: "pause", packages: []string{"."}}.dir(ctx, p)
	if err != nil {
		return nil, err
	}
	return &imageSet{file: filepath.Join(p.Cache, "images", "base-2-"+filepath.Base(dir)+".json")}, nil
}

// makeBases builds and pushes the images of baseSet.
func makeBases(ctx context.Context, p place) ([]string, error) {
	temp, err := os.MkdirTemp(p.Data, "base-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	base, pause, python := filepath.Join(temp, "base"), filepath.Join(temp, "pause"), filepath.Join(temp, "python")
	if err := layBase(base); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(pause, 0o755); err != nil {
		return nil, err
	}
	if err := copyFile(p.bin("pause"), filepath.Join(pause, "pause"), 0o755); err != nil {
		return nil, err
	}
	if err := layPython(ctx, p, python); err != nil {
		return nil, err
	}
	// A user other than root must be set, or pods with runAsNonRoot never start.
	const user = "--user=65532:65532"
	for _, image := range []struct{ name, from, layer, flag string }{
		{"base", "", base, user},
		{"python", registry + "/base:latest", python, user},
		{"pause", "", pause, "--entrypoint=/pause"},
	} {
		if err := pushLayer(ctx, image.layer, image.from, registry+"/"+image.name+":latest", image.flag); err != nil {
			return nil, fmt.Errorf("image %q: %w", image.name, err)
		}
	}
	return []string{registry + "/base:latest", registry + "/python:latest", registry + "/pause:latest"}, nil
}

// pushLayer makes an image of a folder's content on top of another image.
func pushLayer(ctx context.Context, dir, from, to, flag string) error {
	layer := dir + ".tar.gz"
	appendArgs := []string{"append", "-f", layer, "-t", to}
	if from != "" {
		appendArgs = append(appendArgs, "-b", from)
	}
	for _, args := range [][]string{
		{"tar", "-C", dir, "--owner=0", "--group=0", "--numeric-owner", "--sort=name", "--mtime=@0", "-czf", layer, "."},
		append([]string{"crane"}, appendArgs...),
		{"crane", "mutate", "--set-platform=linux/" + runtime.GOARCH, flag, to, "-t", to},
	} {
		if _, err := command(ctx, exec.CommandContext(ctx, args[0], args[1:]...)); err != nil {
			return err
		}
	}
	return nil
}

// writeWhole writes a file that is either whole or not there.
func writeWhole(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	temp := path + ".new"
	if err := os.WriteFile(temp, content, 0o644); err != nil {
		return err
	}
	return os.Rename(temp, path)
}

func copyFile(from, to string, mode os.FileMode) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, mode)
}
