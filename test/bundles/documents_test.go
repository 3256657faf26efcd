package bundles_test

import (
	"testing"

	"krt.dev/kn-krt/test/localrun"
)

// TestDocuments asks what test/e2e asks on a cluster: the answers are the same.
func TestDocuments(t *testing.T) {
	localrun.NeedPython(t)
	v := localrun.Start(t, "cases/documents")
	for _, c := range localrun.DocumentCases() {
		check(t, v, call{rpc: "entrypoint.Entrypoint/One", request: c.Request, want: c.Response})
	}
}
