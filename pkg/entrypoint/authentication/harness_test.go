package authentication

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"
)

// provider is an issuer of tokens, with its keys behind TLS on loopback.
type provider struct {
	*httptest.Server
	served  atomic.Pointer[jose.JSONWebKeySet] // nil: the server fails
	fetches atomic.Int64
}

func newProvider(t testing.TB) *provider {
	p := &provider{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+discoveryPath, func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": p.URL, "jwks_uri": p.URL + "/keys"})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		p.fetches.Add(1)
		if set := p.served.Load(); set != nil {
			_ = json.NewEncoder(w).Encode(set)
			return
		}
		http.Error(w, "it is away", http.StatusServiceUnavailable)
	})
	p.Server = httptest.NewUnstartedServer(mux)
	p.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	p.StartTLS()
	t.Cleanup(p.Close)
	return p
}

// serve makes these keys of the provider public.
func (p *provider) serve(keys ...signer) { p.served.Store(public(keys...)) }

func (p *provider) ca() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate().Raw}))
}

// issuer is the provider as a configuration has it.
func (p *provider) issuer() Issuer {
	return Issuer{Issuer: p.URL, Audiences: []string{"prices"}, CA: p.ca()}
}

func public(keys ...signer) *jose.JSONWebKeySet {
	set := &jose.JSONWebKeySet{}
	for _, k := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.private.Public(), KeyID: k.id})
	}
	return set
}

// signer makes tokens.
type signer struct {
	id        string
	algorithm jose.SignatureAlgorithm
	private   crypto.Signer
}

func newSigner(t testing.TB, id string, algorithm jose.SignatureAlgorithm) signer {
	var private crypto.Signer
	var err error
	switch algorithm {
	case jose.ES256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.ES384:
		private, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case jose.EdDSA:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	default:
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	require.NoError(t, err)
	return signer{id, algorithm, private}
}

// claims are those of a token that is accepted by the provider's issuer, unless change changes
// them.
func claims(p *provider, change ...func(*jwt.Claims)) jwt.Claims {
	now := time.Now()
	c := jwt.Claims{Issuer: p.URL, Subject: "ada", Audience: jwt.Audience{"prices"}, IssuedAt: jwt.NewNumericDate(now),
		NotBefore: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(time.Hour))}
	for _, f := range change {
		f(&c)
	}
	return c
}

// token is a token of the claims, as the value of the header authorization.
func (s signer) token(t testing.TB, c jwt.Claims) string {
	options := &jose.SignerOptions{}
	if s.id != "" {
		options.WithHeader(jose.HeaderKey("kid"), s.id)
	}
	made, err := jose.NewSigner(jose.SigningKey{Algorithm: s.algorithm, Key: s.private}, options)
	require.NoError(t, err)
	text, err := jwt.Signed(made).Claims(c).Serialize()
	require.NoError(t, err)
	return "Bearer " + text
}

// start returns an authenticator that is watching until the test ends.
func start(t testing.TB, c Config) *Authenticator {
	a, err := New(c, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); a.Watch(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return a
}

// try returns the client's name, or why it is refused.
func try(t testing.TB, a *Authenticator, authorization string) string {
	client, refusal := a.Identify(t.Context(), Credentials{Authorization: []string{authorization}})
	if refusal != nil {
		require.Empty(t, client)
		return refusal.Text
	}
	return client.Name
}
