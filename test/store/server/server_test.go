package server_test

import (
	"testing"

	"krt.dev/kn-krt/test/store/server"
)

// Each server starts, is killed, and starts again at the same address.
func TestServers(t *testing.T) {
	for name, start := range map[string]func(testing.TB) *server.Server{
		"PostgreSQL": func(t testing.TB) *server.Server { return server.Postgres(t) }, "InfluxDB": server.Influx, "FerretDB": server.Mongo,
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			s.Kill()
			s.Start(t)
		})
	}
}
