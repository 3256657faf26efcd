package server

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// Password is that of the user "krt" of every database that has users.
const Password = "s3cret/with:odd@signs"

// nobody is the user that PostgreSQL runs as where the tests run as root, which it refuses.
const nobody = 65534

// Postgres starts PostgreSQL with an empty database, and parameters such as "fsync=on".
func Postgres(t testing.TB, parameters ...string) *Server {
	t.Helper()
	const installed = "/usr/lib/postgresql/*/bin"
	initdb, postgres := program(t, "initdb", "postgresql", installed), program(t, "postgres", "postgresql", installed)
	dir := folder(t)
	data, secret := filepath.Join(dir, "data"), filepath.Join(dir, "password")
	write(t, secret, "%s\n", Password)
	var as []string
	if os.Geteuid() == 0 {
		require.NoError(t, os.Chown(dir, nobody, nobody))
		as = []string{"setpriv", "--reuid=" + strconv.Itoa(nobody), "--regid=" + strconv.Itoa(nobody), "--clear-groups", "--"}
	}
	// Tests look at what is committed after a kill of the process, not of the machine: no fsync.
	command(t, append(as, initdb, "--pgdata="+data, "--username=krt", "--pwfile="+secret, "--auth=scram-sha-256",
		"--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions")...)
	address := free(t)
	s := &Server{Address: address, URL: "postgres://krt:" + escaped() + "@" + address + "/postgres"}
	s.ready = func(ctx context.Context) error {
		c, err := pgx.Connect(ctx, s.URL)
		if err != nil {
			return err
		}
		return c.Close(ctx)
	}
	arguments := append(as, postgres, "-D", data, "-h", "127.0.0.1", "-p", port(t, address), "-k", dir)
	for _, parameter := range append([]string{"fsync=off", "shared_buffers=64MB"}, parameters...) {
		arguments = append(arguments, "-c", parameter)
	}
	start(t, s, arguments...)
	return s
}
