package store

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Files of a version's credentials for a store, in one folder.
const (
	// FileCredential is what a client shows, as a bearer token; it names runtime and version.
	FileCredential = "credential"
	// FileCA has the certificates, in PEM, by one of which that of an https store must be
	// signed; without this file it is one of the system's.
	FileCA = "ca.crt"
)

// maxCredential is more than a credential has, in bytes.
const maxCredential = 4096

// Option changes a [Client].
type Option func(*Client) error

// Credentials returns an option that reads the credentials in folder, of which
// [FileCredential] must exist. With an empty folder it has no effect: a store on a Unix
// socket requires none. The files are read once: new credentials come with new pods.
func Credentials(folder string) Option {
	return func(c *Client) error {
		if folder == "" {
			return nil
		}
		text, err := os.ReadFile(filepath.Join(folder, FileCredential))
		if err != nil {
			return fmt.Errorf("cannot read the credentials: %w", err)
		}
		credential := strings.TrimSpace(string(text))
		if credential == "" || len(credential) > maxCredential || strings.ContainsFunc(credential, notToken) {
			return fmt.Errorf("%s is not a credential", filepath.Join(folder, FileCredential))
		}
		c.authorization = "Bearer " + credential
		return c.trust(filepath.Join(folder, FileCA))
	}
}

// notToken reports whether a character cannot be part of a header's value.
func notToken(r rune) bool { return r <= ' ' || r >= 0x7f }

// trust has the client trust the certificates in a file, if that exists.
func (c *Client) trust(file string) error {
	text, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("cannot read the certificates: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return fmt.Errorf("there is no certificate in %s", file)
	}
	c.transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return nil
}
