package remote

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/saved"
)

// Data reaches what the versions of a namespace have saved: it makes Versions a [saved.Cluster].
func (Versions) Data(cmd *cobra.Command) (place *saved.Place, err error) {
	err = connected(cmd, func(ctx context.Context, c *Cluster) error {
		client, end, err := c.Data(ctx)
		if err != nil {
			return err
		}
		place = &saved.Place{
			Client: client, Name: fmt.Sprintf("namespace %q", c.Namespace()), End: func() error { end(); return nil },
		}
		return nil
	})
	return place, err
}
