// Package keypair gives the programs in a cluster TLS by a Secret of type kubernetes.io/tls.
package keypair

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
)

// Config is that of a listener with the certificate tls.crt and its tls.key in a folder. It is nil,
// for plain HTTP, without a folder or without the former, because a Secret may be mounted there that
// does not exist. The files are read again for each connection, because certificates are renewed; while they cannot be
// used, as between the writes of both, connections get the last certificate that could, and that is logged once.
func Config(folder string, log *slog.Logger) (*tls.Config, error) {
	public := filepath.Join(folder, "tls.crt")
	if _, err := os.Stat(public); folder == "" || errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	read := func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(public, filepath.Join(folder, "tls.key"))
		if err != nil {
			return nil, fmt.Errorf("cannot read the certificate: %w", err)
		}
		return &pair, nil
	}
	first, err := read()
	if err != nil {
		return nil, err
	}
	var last atomic.Pointer[tls.Certificate]
	var failed atomic.Bool
	last.Store(first)
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		pair, err := read()
		if err == nil {
			last.Store(pair)
		}
		if failed.Swap(err != nil) != (err != nil) && err != nil {
			log.Error("a renewed certificate cannot be used: connections go on with the one before until it expires", "error", err)
		}
		return last.Load(), nil
	}}, nil
}
