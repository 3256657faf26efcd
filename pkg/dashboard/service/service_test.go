package service

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// listen returns the listeners of a dashboard.
func listen(t *testing.T) (pages, probes net.Listener) {
	t.Helper()
	pages, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	probes, err = net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return pages, probes
}

// serve runs a dashboard with a folder for a certificate, and returns the address of its pages.
func serve(t *testing.T, folder string) string {
	t.Helper()
	pages, probes := listen(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	s := New(Config{API: "https://127.0.0.1:1", TLS: folder, SignIn: true}, slog.New(slog.DiscardHandler))
	go func() { ended <- s.Serve(ctx, pages, probes) }()
	t.Cleanup(func() { stop(); require.NoError(t, <-ended) })
	return pages.Addr().String()
}

// writePair writes the certificate and key of Go's test server, and returns who trusts it.
func writePair(t *testing.T, folder string) *x509.CertPool {
	t.Helper()
	known := httptest.NewUnstartedServer(http.NotFoundHandler())
	known.StartTLS()
	defer known.Close()
	pair := known.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	require.NoError(t, err)
	for name, block := range map[string]*pem.Block{
		"tls.crt": {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, "tls.key": {Type: "PRIVATE KEY", Bytes: key},
	} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(block), 0o600))
	}
	pool := x509.NewCertPool()
	pool.AddCert(known.Certificate())
	return pool
}

func TestPagesHaveTLSWithACertificate(t *testing.T) {
	folder := t.TempDir()
	pool := writePair(t, folder)
	at := serve(t, folder)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	defer client.CloseIdleConnections()
	response, err := client.Get("https://" + at + "/")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusUnauthorized, response.StatusCode)

	plain, err := http.Get("http://" + serve(t, t.TempDir()) + "/")
	require.NoError(t, err, "without a certificate there is no TLS")
	require.NoError(t, plain.Body.Close())
	require.Equal(t, http.StatusUnauthorized, plain.StatusCode)
}

func TestABrokenCertificateIsAnError(t *testing.T) {
	folder := t.TempDir()
	writePair(t, folder)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "tls.key"), nil, 0o600))
	pages, probes := listen(t)
	err := New(Config{TLS: folder}, slog.New(slog.DiscardHandler)).Serve(t.Context(), pages, probes)
	require.ErrorContains(t, err, "cannot read the certificate")
}

func TestFlags(t *testing.T) {
	env := map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
	args := []string{"-registries", "registry.example.com/team, other.example.com,"}
	c, err := parse(args, func(name string) string { return env[name] }, io.Discard)
	require.NoError(t, err)
	require.Equal(t, "https://10.0.0.1:443", c.API)
	require.True(t, c.SignIn)
	require.False(t, c.Changes)
	require.Equal(t, []string{"registry.example.com/team", "other.example.com"}, newUsers(c, nil).artifacts.Only)
	require.Nil(t, newUsers(Config{}, nil).artifacts, "nothing is pulled unless registries are named")

	nothing := func(string) string { return "" }
	_, err = parse(nil, nothing, io.Discard)
	require.ErrorContains(t, err, "not a pod of a cluster")
	_, err = parse([]string{"-api", "https://a", "more"}, nothing, io.Discard)
	require.ErrorContains(t, err, `unknown argument "more"`)
}
