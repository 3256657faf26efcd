package render_test

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/render"
)

func TestStreamsMustEndBeforeKnativeEndsThem(t *testing.T) {
	in := input(t, filepath.Join("testdata", "streams"))
	in.Settings.StreamTimeout = 596 * time.Second
	_, err := render.Objects(in)
	require.EqualError(t, err, `cannot render version "writer-v1": setting stream-timeout: 9m56s is not at least 5s less than `+
		"revision-timeout, 10m0s")
	in.Streams = nil
	_, err = render.Objects(in)
	require.NoError(t, err, "the setting does not concern other versions")
}

func TestStreamsMayTakeLonger(t *testing.T) {
	in := input(t, filepath.Join("testdata", "streams"))
	require.Equal(t, 8*time.Minute+5*time.Second, render.LongestWork(in))
	in.Streams = nil
	require.Equal(t, time.Minute+5*time.Second, render.LongestWork(in))
}

// A record of a release that had no streams, and a version that has one since.
func TestVersionsBehindInTheirStreams(t *testing.T) {
	in := input(t, filepath.Join("testdata", "streams"))
	before := render.Record(nil)
	maps.DeleteFunc(before, func(key, _ string) bool { return strings.HasPrefix(key, "stream-") })
	require.Empty(t, render.Behind(in, before, render.Record(nil)))
	now := maps.Clone(before)
	now["stream-timeout"], now["stream-idle"], now["stream-messages"] = "7m", "10s", "1000"
	require.Equal(t, []string{"stream-idle", "stream-messages", "stream-timeout"}, render.Behind(in, before, now))
	in.Streams = nil
	require.Empty(t, render.Behind(in, before, now), "without a stream they change nothing")
}
