// Package release makes a release of kn-krt: programs for people's machines, images, the YAML that
// installs them, a Helm chart and a kustomization, and what package managers read. All of it is made
// from config/ and cmd/, and a second run of the same commit makes the same bytes, except signatures.
package release

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Options are what a release is made of. Version, Root and Dist must be set.
type Options struct {
	// Version is the tag of the commit, such as v0.1.0.
	Version string
	// Root is the repository's folder, Dist the one that is created.
	Root, Dist string
	// Repository is where images are pushed: a registry and a path. URL is the address of the folder from
	// which people will download Dist; empty if it is not known: then there is nothing for package managers.
	Repository, URL string
	// Key is a private key of cosign, a file or a KMS address; empty to sign nothing. Cosign is that program,
	// with arguments that are passed on. Ko is the program that builds images.
	Key, Ko string
	Cosign  []string
	// Platforms are those of programs, ImagePlatforms those of images: linux/amd64.
	Platforms, ImagePlatforms []string
	// Log gets a line for each step.
	Log io.Writer
}

// marker is the file that is in the folder of a release from its beginning, and whose content is written last.
const marker = "SHA256SUMS"

// versionPattern is what Go's tools take as a version of a module.
var versionPattern = regexp.MustCompile(`^v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`)

// release is one that is being made.
type release struct {
	Options
	epoch time.Time // when the commit was made: the time of everything in the release
	// images are references by digest, by the name of the program: controller, entrypoint, store, queue, dashboard.
	images map[string]string
	sums   map[string]string // SHA-256 of archives of programs, by platform
}

// Make makes a release. It fails if the commit does not have the version as its tag or files of the
// repository are changed, because programs read their version from git, and if a step fails; what
// was made by then stays.
func Make(ctx context.Context, o Options) error {
	dist, err := filepath.Abs(o.Dist)
	if err != nil {
		return err
	}
	if root, err := filepath.Abs(o.Root); err != nil || root == dist || strings.HasPrefix(root, strings.TrimSuffix(dist, "/")+"/") {
		return errors.Join(err, fmt.Errorf("the repository is in %s, which is removed before it is written: name another folder", dist))
	}
	if err := disposable(dist); err != nil {
		return err
	}
	o.Dist = dist
	r := &release{Options: o, sums: map[string]string{}}
	if err := r.check(ctx); err != nil {
		return err
	}
	if err := os.RemoveAll(o.Dist); err != nil {
		return err
	}
	if err := os.MkdirAll(o.Dist, 0o755); err != nil {
		return err
	}
	if err := r.write(marker, nil); err != nil {
		return err
	}
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"programs", r.programs},
		{"images", r.buildImages},
		{"YAML", r.manifests},
		{"chart", r.chart},
		{"kustomization", r.kustomization},
		{"package managers", r.packages},
		{"notes", r.notes},
		{marker, r.checksums},
		{"signatures", r.sign},
	} {
		start := time.Now()
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("cannot make the %s of the release: %w", step.name, err)
		}
		fmt.Fprintf(o.Log, "%-16s %.1f s\n", step.name, time.Since(start).Seconds())
	}
	return nil
}

// disposable returns an error for a folder with files that no release has written.
func disposable(dist string) error {
	files, err := os.ReadDir(dist)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && len(files) == 0:
		return nil
	case err != nil:
		return err
	case !slices.ContainsFunc(files, func(f fs.DirEntry) bool { return f.Name() == marker }):
		return fmt.Errorf("%s is removed before it is written, and no release is in it (there is no file %s): name another folder", dist, marker)
	}
	return nil
}

// check reads what git knows.
func (r *release) check(ctx context.Context) error {
	if !versionPattern.MatchString(r.Version) {
		return fmt.Errorf("%q is not a version such as v0.1.0 or v0.1.0-rc.1", r.Version)
	}
	if r.Repository == "" {
		return errors.New("no registry is named for the images: set KO_DOCKER_REPO")
	}
	changed, err := r.git(ctx, "status", "--porcelain")
	if err != nil {
		return err
	}
	if changed != "" {
		return fmt.Errorf("files differ from the commit, so programs would not have the version %s:\n%s", r.Version, changed)
	}
	tags, err := r.git(ctx, "tag", "--points-at", "HEAD")
	if err != nil {
		return err
	}
	if tags != r.Version {
		return fmt.Errorf("the commit must have the tag %s and no other, because programs read their version from it: its tags are %q",
			r.Version, tags)
	}
	seconds, err := r.git(ctx, "log", "-1", "--format=%ct")
	if err != nil {
		return err
	}
	if given := os.Getenv("SOURCE_DATE_EPOCH"); given != "" {
		seconds = given
	}
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH is not a number of seconds: %w", err)
	}
	r.epoch = time.Unix(unix, 0).UTC()
	return nil
}

func (r *release) git(ctx context.Context, args ...string) (string, error) {
	return r.command(ctx, nil, "git", args...)
}

// number is the version without its v, as Helm and Homebrew write it.
func (r *release) number() string { return strings.TrimPrefix(r.Version, "v") }

// write writes a file of the release.
func (r *release) write(name string, content []byte) error {
	return os.WriteFile(filepath.Join(r.Dist, name), content, 0o644)
}

// checksums writes SHA256SUMS over all files, in the format of sha256sum.
func (r *release) checksums(context.Context) error {
	var text strings.Builder
	root := os.DirFS(r.Dist)
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || name == marker {
			return err
		}
		content, err := fs.ReadFile(root, name)
		fmt.Fprintf(&text, "%x  %s\n", sha256.Sum256(content), name)
		return err
	})
	if err != nil {
		return err
	}
	return r.write(marker, []byte(text.String()))
}
