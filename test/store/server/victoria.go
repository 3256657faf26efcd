package server

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Victoria starts VictoriaMetrics, an empty one: the program that KRT_VICTORIAMETRICS names,
// or victoria-metrics. It is no package of Debian, so a test without it is left out.
func Victoria(t testing.TB) *Server {
	t.Helper()
	program := os.Getenv("KRT_VICTORIAMETRICS")
	if program == "" {
		var err error
		if program, err = exec.LookPath("victoria-metrics"); err != nil {
			t.Skip("needs VictoriaMetrics: KRT_VICTORIAMETRICS=$(bin/cluster tool victoriametrics)")
		}
	}
	address := free(t)
	s := &Server{Address: address, URL: "influx+http://" + address}
	s.ready = s.listens
	start(t, s, program, "-httpListenAddr="+address, "-storageDataPath="+filepath.Join(folder(t), "data"), "-retentionPeriod=100y")
	return s
}
