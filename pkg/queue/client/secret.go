package client

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"

	"github.com/nats-io/nats.go"

	"krt.dev/kn-krt/pkg/queue"
)

// inMemory returns what credentials in memory say, by the names of the files that they would
// be in. Others are left out.
func inMemory(files map[string][]byte) (options []nats.Option, err error) {
	word := func(name string) string { return strings.TrimSpace(string(files[name])) }
	if ca := files[queue.FileCA]; len(ca) > 0 {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(ca) {
			return nil, errors.New("ca.crt has no certificate")
		}
		options = append(options, nats.Secure(&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}))
	}
	if token := word(queue.FileCredential); token != "" {
		options = append(options, nats.Token(token))
	}
	if text := files[queue.FileNATS]; len(text) > 0 {
		options = append(options, nats.UserCredentialBytes(text))
	}
	if user := word(queue.FileUser); user != "" {
		options = append(options, nats.UserInfo(user, word(queue.FilePassword)))
	}
	return options, nil
}
