package keypair_test

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/keypair"
	"krt.dev/kn-krt/pkg/keypair/keypairtest"
)

func TestNoCertificateIsPlainHTTP(t *testing.T) {
	for _, folder := range []string{"", t.TempDir(), filepath.Join(t.TempDir(), "none")} {
		config, err := keypair.Config(folder, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		require.Nil(t, config)
	}
}

func TestACertificateWithoutItsKeyIsRefused(t *testing.T) {
	folder := t.TempDir()
	keypairtest.Write(t, folder)
	require.NoError(t, os.Remove(filepath.Join(folder, "tls.key")))
	_, err := keypair.Config(folder, slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "tls.key")
}

// New connections get a certificate that was renewed, and the last good one while the files do not
// fit each other, as between two writes. Connections that are open stay.
func TestACertificateIsRenewed(t *testing.T) {
	folder := t.TempDir()
	before := keypairtest.Write(t, folder)
	log := make(lines, 10)
	config, err := keypair.Config(folder, slog.New(slog.NewTextHandler(log, nil)))
	require.NoError(t, err)
	address := echo(t, config)
	open := dial(t, address, before)

	after := keypairtest.Write(t, folder)
	renewed := dial(t, address, after)
	says(t, open)

	require.NoError(t, os.WriteFile(filepath.Join(folder, "tls.crt"), before, 0o600))
	says(t, dial(t, address, after))
	require.NoError(t, os.Remove(filepath.Join(folder, "tls.crt")))
	says(t, dial(t, address, after))
	says(t, renewed)
	says(t, open)
	require.Len(t, log, 1)
	require.Contains(t, <-log, "a renewed certificate cannot be used")
}

// lines are what has been logged.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

// echo listens, and sends back what it gets.
func echo(t *testing.T, config *tls.Config) (address string) {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				one := make([]byte, 1)
				for {
					if _, err := conn.Read(one); err != nil {
						return
					}
					if _, err := conn.Write(one); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// dial connects to what must have the certificate ca.
func dial(t *testing.T, address string, ca []byte) net.Conn {
	t.Helper()
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(ca))
	dialer := tls.Dialer{Config: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	conn, err := dialer.DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func says(t *testing.T, conn net.Conn) {
	t.Helper()
	_, err := conn.Write([]byte("x"))
	require.NoError(t, err)
	_, err = conn.Read(make([]byte, 1))
	require.NoError(t, err)
}
