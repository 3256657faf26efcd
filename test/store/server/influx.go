package server

import (
	"net/http"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// configuration is InfluxDB's, with nothing outside of its folder and of this machine.
const configuration = `reporting-disabled = true
bind-address = "127.0.0.1:0"
[meta]
  dir = "%[1]s/meta"
[data]
  dir = "%[1]s/data"
  wal-dir = "%[1]s/wal"
[monitor]
  store-enabled = false
[http]
  bind-address = "%[2]s"
  auth-enabled = true
  log-enabled = false
`

// Influx starts InfluxDB 1.x with the user "krt" and no database.
func Influx(t testing.TB) *Server {
	t.Helper()
	influxd, dir, address := program(t, "influxd", "influxdb", ""), folder(t), free(t)
	path := filepath.Join(dir, "influxdb.conf")
	write(t, path, configuration, dir, address)
	s := &Server{Address: address, URL: "influx+http://krt:" + escaped() + "@" + address}
	s.ready = s.listens
	start(t, s, influxd, "-config", path)
	query := url.Values{"q": {`CREATE USER krt WITH PASSWORD '` + Password + `' WITH ALL PRIVILEGES`}}
	require.Eventually(t, func() bool {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/query?"+query.Encode(), nil)
		require.NoError(t, err)
		res, err := http.DefaultClient.Do(req)
		return err == nil && res.Body.Close() == nil && res.StatusCode == http.StatusOK
	}, patience, 20*time.Millisecond)
	return s
}

func escaped() string { return url.QueryEscape(Password) }
