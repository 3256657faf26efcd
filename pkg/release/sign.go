package release

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
)

// sign signs the images, and SHA256SUMS with all that it lists, if there is a key.
func (r *release) sign(ctx context.Context) error {
	if r.Key == "" {
		fmt.Fprintln(r.Log, "Not signed: no key is given (COSIGN_KEY).")
		return nil
	}
	cosign := func(args ...string) error {
		_, err := r.command(ctx, nil, r.Cosign[0], slices.Concat(args, r.Cosign[1:])...)
		return err
	}
	for _, program := range onCluster() {
		if err := cosign("sign", "--key", r.Key, "--yes", "--recursive", r.images[program]); err != nil {
			return err
		}
	}
	sums := filepath.Join(r.Dist, marker)
	return cosign("sign-blob", "--key", r.Key, "--yes", "--output-signature", sums+".sig", sums)
}
