package localrun

import (
	"os"
	"testing"

	"krt.dev/kn-krt/pkg/pyrunner"
)

// NeedPython skips the test if there is no Python with protobuf.
func NeedPython(t testing.TB) {
	t.Helper()
	if _, err := pyrunner.FindPython(os.Getenv); err != nil {
		t.Skipf("this test runs Python nodes: %v", err)
	}
}
