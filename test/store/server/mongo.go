package server

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Mongo builds and starts a server of MongoDB's wire protocol: FerretDB, from the Go module
// in test/store/testdata/ferretdb.
func Mongo(t testing.TB) *Server {
	t.Helper()
	dir, address := folder(t), free(t)
	binary := filepath.Join(dir, "ferretdb")
	command(t, "go", "build", "-C", module(t), "-buildvcs=false", "-o", binary, ".")
	data := filepath.Join(dir, "data")
	command(t, "mkdir", data)
	s := &Server{Address: address, URL: "mongodb://" + address}
	s.ready = s.listens
	start(t, s, binary, "-listen", address, "-folder", data)
	return s
}

// module returns the folder of that module.
func module(t testing.TB) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "krt.dev/kn-krt").Output()
	require.NoError(t, err)
	return filepath.Join(strings.TrimSpace(string(out)), "test", "store", "testdata", "ferretdb")
}
