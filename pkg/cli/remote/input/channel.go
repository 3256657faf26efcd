package input

import (
	"fmt"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/krt/untrusted"
	"krt.dev/kn-krt/pkg/render"
)

// maxTemplate is how large a file with a channel template may be, in bytes.
const maxTemplate = 64 << 10

// Channel is the flag --channel-template.
type Channel struct {
	// Given is what the file has; nil: the flag was not given.
	Given *v1alpha1.ChannelTemplate
	path  string
}

// AddTo adds the flag to the command.
func (c *Channel) AddTo(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.path, "channel-template", "",
		"file (YAML) with the channel between the nodes: apiVersion, kind, annotations, spec (default: the cluster's)")
}

// Read reads the file that the flag names.
func (c *Channel) Read() error {
	if c.path == "" {
		return nil
	}
	text, err := untrusted.ReadPath(c.path, maxTemplate)
	if err == nil {
		var template v1alpha1.ChannelTemplate
		template, err = render.ParseChannelTemplate(string(text))
		c.Given = &template
	}
	if err != nil {
		return fmt.Errorf("cannot read the channel template in %s: %w", c.path, err)
	}
	return nil
}
