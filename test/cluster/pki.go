package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// authority signs the cluster's certificates. It lives as long as the cluster.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  crypto.Signer
}

// subject is whom a certificate is for; Kubernetes reads user and group from it.
type subject struct {
	file, user, group string
	names             []string
	addresses         []string
}

// makePKI writes the cluster's keys, certificates and kubeconfigs into dir.
func makePKI(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	ca, err := newAuthority(dir)
	if err != nil {
		return fmt.Errorf("cannot create the cluster's certificate authority: %w", err)
	}
	for _, s := range []subject{
		{file: "apiserver", user: "kube-apiserver", group: "kube", addresses: []string{"127.0.0.1", apiServerIP, nodeIP},
			names: []string{"localhost", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}},
		{file: "admin", user: "admin", group: "system:masters"},
		kubeletSubject(nodeName, nodeIP),
	} {
		if err := ca.issue(s); err != nil {
			return fmt.Errorf("cannot create the certificate of %q: %w", s.file, err)
		}
	}
	for _, user := range []string{"admin", "kubelet"} {
		if err := writeKubeconfig(dir, user); err != nil {
			return err
		}
	}
	return makeKey(dir, "sa")
}

func newAuthority(dir string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := certificate(subject{user: "krt-test-ca"})
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	if err := writeKey(filepath.Join(dir, "ca.key"), key); err != nil {
		return nil, err
	}
	return &authority{dir, cert, key}, writePEM(filepath.Join(dir, "ca.crt"), "CERTIFICATE", der)
}

func kubeletSubject(name, address string) subject {
	return subject{file: "kubelet", user: "system:node:" + name, group: "system:nodes", names: []string{name}, addresses: []string{address}}
}

// makeNodePKI writes what a node after the first has, signed by the cluster's authority.
func makeNodePKI(p place) error {
	main, dir := filepath.Join(p.Main, "pki"), p.pki("")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(main, "ca.crt"), filepath.Join(main, "ca.key"))
	if err != nil {
		return fmt.Errorf("cannot read the cluster's certificate authority: %w", err)
	}
	key, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return fmt.Errorf("the key of the cluster's certificate authority cannot sign: it is a %T", pair.PrivateKey)
	}
	ca := &authority{dir, pair.Leaf, key}
	return errors.Join(
		copyFile(filepath.Join(main, "ca.crt"), filepath.Join(dir, "ca.crt"), 0o600),
		ca.issue(kubeletSubject(p.nodeName(), p.nodeIP())),
		writeKubeconfig(dir, "kubelet"),
	)
}

func certificate(s subject) *x509.Certificate {
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: s.user},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(1, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:     s.names,
	}
	if s.group != "" {
		c.Subject.Organization = []string{s.group}
	}
	for _, address := range s.addresses {
		c.IPAddresses = append(c.IPAddresses, net.ParseIP(address))
	}
	return c
}

func (a *authority) issue(s subject) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.CreateCertificate(rand.Reader, certificate(s), a.cert, key.Public(), a.key)
	if err != nil {
		return err
	}
	if err := writeKey(filepath.Join(a.dir, s.file+".key"), key); err != nil {
		return err
	}
	return writePEM(filepath.Join(a.dir, s.file+".crt"), "CERTIFICATE", der)
}

// makeKey writes the pair with which service account tokens are signed.
func makeKey(dir, name string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	if err := writeKey(filepath.Join(dir, name+".key"), key); err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	return writePEM(filepath.Join(dir, name+".pub"), "PUBLIC KEY", der)
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(path, "EC PRIVATE KEY", der)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

func writeKubeconfig(dir, user string) error {
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: krt, cluster: {server: %q, certificate-authority: %q}}]
users: [{name: %[3]s, user: {client-certificate: %q, client-key: %q}}]
contexts: [{name: krt, context: {cluster: krt, user: %[3]s}}]
current-context: krt
`, apiServer, filepath.Join(dir, "ca.crt"), user, filepath.Join(dir, user+".crt"), filepath.Join(dir, user+".key"))
	return os.WriteFile(filepath.Join(dir, user+".kubeconfig"), []byte(text), 0o600)
}
