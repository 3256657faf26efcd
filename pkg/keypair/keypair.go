// Package keypair gives the programs in a cluster TLS by a Secret of type kubernetes.io/tls.
package keypair

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Config is that of a listener with the certificate tls.crt and its tls.key in a folder. It is nil,
// for plain HTTP, without a folder or without the former, because a Secret may be mounted there that
// does not exist. The files are read again for each connection: certificates are renewed.
func Config(folder string) (*tls.Config, error) {
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
	if _, err := read(); err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return read() }}, nil
}
