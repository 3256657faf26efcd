package authentication

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// fetchTime bounds a fetch of an issuer's keys, discovery included. Tests raise it.
var fetchTime = 5 * time.Second

const (
	// discoveryPath is where an issuer describes itself (OpenID Connect Discovery 1.0, section 4).
	discoveryPath = "/.well-known/openid-configuration"
	// maxRedirects bounds the redirects that are followed.
	maxRedirects = 3
)

// checkURL returns why keys cannot be fetched from a URL: what decides who may call must not be
// changed on its way. On this machine HTTP will do.
func checkURL(name, text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || !secure(u) {
		return fmt.Errorf("%s must be a URL that begins with https:// and has no password", name)
	}
	return nil
}

func secure(u *url.URL) bool {
	if u.Scheme == "https" {
		return true
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}

// newClient returns a client that trusts the certificates of ca, or the system's if there are none.
func newClient(ca string) (*http.Client, error) {
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		trust.RootCAs = x509.NewCertPool()
		if !trust.RootCAs.AppendCertsFromPEM([]byte(ca)) {
			return nil, errors.New("ca has no certificate in PEM")
		}
	}
	return &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: trust, ForceAttemptHTTP2: true,
			DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects || !secure(r.URL) {
				return errors.New("it redirects too often, or not to https://")
			}
			return nil
		},
	}, nil
}

// download returns the issuer's keys.
func (i *issuer) download(ctx context.Context) (string, error) {
	from := i.JWKSURL
	if from == "" {
		text, err := i.get(ctx, strings.TrimSuffix(i.Issuer.Issuer, "/")+discoveryPath)
		if err != nil {
			return "", err
		}
		var found struct {
			Issuer string `json:"issuer"`
			JWKS   string `json:"jwks_uri"`
		}
		if json.Unmarshal([]byte(text), &found) != nil || found.Issuer != i.Issuer.Issuer {
			return "", fmt.Errorf("%s does not describe this issuer", discoveryPath)
		}
		if err := checkURL("jwks_uri", found.JWKS); err != nil {
			return "", err
		}
		from = found.JWKS
	}
	return i.get(ctx, from)
}

func (i *issuer) get(ctx context.Context, from string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return "", err
	}
	response, err := i.client.Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: HTTP status %d", from, response.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxSetBytes+1))
	if err == nil && len(text) > maxSetBytes {
		err = fmt.Errorf("%s: the response has more than %d bytes", from, maxSetBytes)
	}
	return string(text), err
}
