package release_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// entrypointImage is the image that a controller gives to versions that it starts.
var entrypointImage = regexp.MustCompile(`name: KRT_ENTRYPOINT_IMAGE\s+value: (\S+)`)

// From a release to this one and back under load: no request fails. The upgrade changes nothing of a version
// until its user restarts it, one version after the other and the published one last.
func TestUpgrade(t *testing.T) {
	before := os.Getenv("KRT_RELEASE_BEFORE")
	if before == "" {
		t.Skip("KRT_RELEASE_BEFORE names no commit of the release before")
	}
	n := newPlace(t)
	former := source(t, before, "v0.0.1")
	formerYAML := ko(t, former, "resolve", "--sbom=none", "-f", "config/")
	currentYAML := ko(t, "../..", "resolve", "--sbom=none", "-f", "config/")
	image := func(yaml string) string { return entrypointImage.FindStringSubmatch(yaml)[1] }
	require.NotEqual(t, image(formerYAML), image(currentYAML))
	n.install(formerYAML)
	node := ko(t, former, "build", "--sbom=none", "./test/e2e/node")
	n.version("one", node)
	n.version("published", node)
	n.publish("published")
	l := n.load()
	l.more(n, 50)
	begun := n.generations()

	n.install(currentYAML)
	n.behind("one", image(currentYAML))
	n.behind("published", image(currentYAML))
	l.more(n, 100)
	require.Equal(t, begun, n.generations(), "the upgrade alone rolls nothing")

	out := run(t, "../..", nil, "go", "run", "./cmd/kn-krt", "restart", "--all", "--namespace", n.Name)
	t.Log(out)
	one, last := strings.Index(out, "Version 'one' restarted"), strings.Index(out, "Restarting version 'published'")
	require.True(t, one >= 0 && one < last, "one after the other, the published one last")
	for _, version := range []string{"one", "published"} {
		require.Equal(t, image(currentYAML), n.Get("version/"+version, "{.status.startedWith.entrypointImage}"))
	}
	l.more(n, 100)
	restarted := n.generations()

	n.install(formerYAML)
	n.behind("published", image(formerYAML))
	l.more(n, 100)
	// A program cannot know what a later one has recorded: it may roll what that has started, and loses nothing.
	t.Logf("the downgrade rolls pods: %t", restarted != n.generations())
	n.version("new", node)
	l.more(n, 100)
	l.end(t)
}
