package input

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

func TestAChannelTemplateIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "channel.yaml")
	read := func(text string) (*Channel, error) {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		c, cmd := &Channel{}, &cobra.Command{}
		c.AddTo(cmd)
		require.NoError(t, cmd.ParseFlags([]string{"--channel-template", path}))
		return c, c.Read()
	}
	c, err := read("apiVersion: messaging.knative.dev/v1beta1\nkind: KafkaChannel\n" +
		"annotations: {example.org/a: b}\nspec: {numPartitions: 3}\n")
	require.NoError(t, err)
	require.Equal(t, "KafkaChannel", c.Given.Kind)
	require.Equal(t, map[string]string{"example.org/a": "b"}, c.Given.Annotations)
	require.JSONEq(t, `{"numPartitions": 3}`, string(c.Given.Spec.Raw))
	for text, want := range map[string]string{
		"kind: KafkaChannel": `apiVersion "" is not that of a channel, such as "messaging.knative.dev/v1"`,
		"apiVersion: messaging.knative.dev/v1\nkind: Channel\nannotations: {a/b: c}": "a Channel does not pass annotations on",
		"apiVersion: messaging.knative.dev/v1\nkind: X\nreplicas: 3":                 "unknown field",
	} {
		_, err := read(text)
		require.ErrorContains(t, err, "cannot read the channel template in "+path)
		require.ErrorContains(t, err, want)
	}
	require.NoError(t, new(Channel).Read())
}
