package release

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

// onCluster are the programs of cmd/ that run on a cluster, each in an image of its own.
func onCluster() []string { return []string{"controller", "entrypoint", "store", "queue", "dashboard"} }

// buildImages builds and pushes the images for all platforms, each with a bill of materials (SPDX) in the
// registry and in the release, as controller-linux-amd64.spdx.json.
func (r *release) buildImages(ctx context.Context) error {
	args := []string{
		"build", "--base-import-paths", "--tags=" + r.Version, "--platform=" + strings.Join(r.ImagePlatforms, ","),
		"--sbom=spdx", "--sbom-dir=" + r.Dist,
	}
	for _, program := range onCluster() {
		args = append(args, "./cmd/"+program)
	}
	env := []string{
		"KO_DOCKER_REPO=" + r.Repository, "KO_CONFIG_PATH=ko.yaml", "SOURCE_DATE_EPOCH=" + strconv.FormatInt(r.epoch.Unix(), 10),
		"GOFLAGS=", "GOWORK=off",
	}
	out, err := r.command(ctx, env, r.Ko, args...)
	if err != nil {
		return err
	}
	r.images, err = imagesOf(out)
	return err
}

// imagesOf reads the references that ko prints, one a line, as programs and references by digest alone.
func imagesOf(out string) (map[string]string, error) {
	images := map[string]string{}
	for _, line := range strings.Fields(out) {
		ref, err := name.NewDigest(line)
		if err != nil {
			return nil, fmt.Errorf("ko did not print an image: %w", err)
		}
		repository := ref.Context().Name()
		images[repository[strings.LastIndex(repository, "/")+1:]] = ref.Context().Digest(ref.DigestStr()).Name()
	}
	for _, program := range onCluster() {
		if images[program] == "" {
			return nil, fmt.Errorf("ko built no image of %s", program)
		}
	}
	return images, nil
}
