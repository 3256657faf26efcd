package localrun

import "testing"

// NeedPython skips the test where no Python with protobuf is to be had.
func NeedPython(t testing.TB) { t.Helper() }
