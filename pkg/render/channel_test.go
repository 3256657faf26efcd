package render_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/render"
)

// The entrypoint's configuration waits until it is known what a Channel has become.
func TestAChannelWhoseKindIsNotKnownYet(t *testing.T) {
	in := input(t, "testdata/channel-default")
	has := func() bool {
		objects, err := render.Objects(in)
		require.NoError(t, err)
		for _, o := range objects {
			if _, isDeployment := o.(*appsv1.Deployment); isDeployment {
				return true
			}
		}
		return false
	}
	require.True(t, has())
	in.Channels = nil
	require.False(t, has())
	in.Kept = false // an older kn-krt has started it: its entrypoint knows no kinds
	require.True(t, has())
}

func TestChannelAnnotationsChangeTheSequence(t *testing.T) {
	in := input(t, "testdata/channel-async")
	hash := func() string {
		sequences, err := render.Sequences(in)
		require.NoError(t, err)
		annotations, err := render.ChannelAnnotations(sequences[0].Annotations[render.AnnotationChannel])
		require.NoError(t, err)
		require.Equal(t, in.Version.Spec.Entrypoint.ChannelTemplate.Annotations, annotations)
		return sequences[0].Annotations[render.AnnotationSpecHash]
	}
	with := hash()
	in.Version.Spec.Entrypoint.ChannelTemplate.Annotations = nil
	require.NotEqual(t, with, hash())
	_, err := render.ChannelAnnotations("{")
	require.ErrorContains(t, err, "annotation krt.dev/channel-annotations: ")
}

func TestMessagesTooLargeForAChannel(t *testing.T) {
	in := input(t, "testdata/channel-default")
	require.Equal(t, "messages may have 4194304 bytes (max-message-bytes), and a KafkaChannel usually has a limit of 1048576 "+
		"(max.message.bytes of its topics, and max.request.size of the channel's producer); raise that limit, or lower max-message-bytes",
		in.CheckLimit("greeting"))
	in.Settings.MaxMessageBytes = 1 << 20
	require.Empty(t, in.CheckLimit("greeting"))
	in.Settings.MaxMessageBytes, in.Version.Spec.Entrypoint.Delivery = 4<<20, v1alpha1.DeliveryDirect
	require.Empty(t, in.CheckLimit("greeting"))
}
