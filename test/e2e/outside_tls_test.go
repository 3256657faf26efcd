package e2e_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/test/namespace"
)

// authority signs certificates of the test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	// leaf is the hash of the last certificate's public key, as Chromium names it.
	leaf *string
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := certificate("test authority")
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return authority{cert, key, new(string)}
}

func certificate(name string, hosts ...string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: hosts,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 0, 7), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
}

// issue makes a certificate for hosts, with its key, in PEM.
func (a authority) issue(t *testing.T, hosts ...string) (pair [2][]byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, certificate("outside", hosts...), a.cert, key.Public(), a.key)
	require.NoError(t, err)
	private, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	require.NoError(t, err)
	hash := sha256.Sum256(public)
	*a.leaf = base64.StdEncoding.EncodeToString(hash[:])
	return [2][]byte{pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private})}
}

// tlsSecret creates a Secret of type kubernetes.io/tls.
func (n place) tlsSecret(name string, pair [2][]byte) {
	n.t.Helper()
	dir := n.t.TempDir()
	cert, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	require.NoError(n.t, os.WriteFile(cert, pair[0], 0o600))
	require.NoError(n.t, os.WriteFile(key, pair[1], 0o600))
	n.In("create", "secret", "tls", name, "--cert="+cert, "--key="+key)
}

// call is what the page does: a request by gRPC-Web, whose response is shown as text.
const call = `fetch("https://%s/conformance.Entrypoint/One", {
	method: "POST", headers: {"Content-Type": "application/grpc-web+proto", "X-Grpc-Web": "1"}, body: new Uint8Array(5)
}).then(r => r.arrayBuffer()).then(b => new TextDecoder().decode(b)).catch(e => "failed: " + e)`

// browse opens a page in Chromium, which calls a host by gRPC-Web, and returns what the page got. Without
// Chromium the test is skipped; in CI it fails.
func (o outsider) browse(page, host string) (text string) {
	o.t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil && os.Getenv("CI") == "" {
		o.t.Skip("no Chromium: Debian: apt-get install chromium")
	}
	require.NoError(o.t, err)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.DisableGPU,
		chromedp.WSURLReadTimeout(namespace.Patience), // until it has begun
		chromedp.Flag("host-resolver-rules", "MAP "+host+" "+o.to),
		// Only this key is believed although Chromium does not know its authority.
		chromedp.Flag("ignore-certificate-errors-spki-list", *o.leaf))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	ctx, cancel := context.WithTimeout(o.t.Context(), namespace.Patience)
	defer cancel()
	allocator, cancel := chromedp.NewExecAllocator(ctx, options...)
	defer cancel()
	tab, cancel := chromedp.NewContext(allocator)
	defer cancel()
	_, err = chromedp.Run(tab, chromedp.Navigate(page))
	require.NoError(o.t, err)
	text, err = chromedp.Run(tab, chromedp.Evaluate[string](fmt.Sprintf(call, host), chromedp.EvalAwaitPromise))
	require.NoError(o.t, err)
	return text
}
