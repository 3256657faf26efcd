package authentication

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

func TestKeysRotate(t *testing.T) {
	p := newProvider(t)
	old, fresh := newSigner(t, "old", jose.ES256), newSigner(t, "fresh", jose.ES256)
	p.serve(old)
	a := start(t, Config{JWT: []Issuer{p.issuer()}})
	first := old.token(t, claims(p))
	require.Equal(t, "ada", try(t, a, first))

	// A new key is fetched when a token names it, but not again and again.
	p.serve(old, fresh)
	const unknown = "the token is not signed by a key of its issuer"
	require.Equal(t, unknown, try(t, a, fresh.token(t, claims(p))))
	require.EqualValues(t, 1, p.fetches.Load())
	a.issuers[0].pause = 0
	require.Equal(t, "ada", try(t, a, fresh.token(t, claims(p))))
	require.EqualValues(t, 2, p.fetches.Load())

	// A key that is withdrawn verifies nothing any more, also not what has been verified before.
	p.serve(fresh)
	require.Equal(t, "ada", try(t, a, first))
	require.Equal(t, unknown, try(t, a, newSigner(t, "other", jose.ES256).token(t, claims(p))))
	require.Equal(t, unknown, try(t, a, first))

	// The last keys stay while the issuer is away.
	p.served.Store(nil)
	require.Equal(t, unknown, try(t, a, newSigner(t, "other", jose.ES256).token(t, claims(p))))
	require.Equal(t, "ada", try(t, a, fresh.token(t, claims(p))))
}

func TestUntilKeysHaveBeenFetchedNobodyIsRefusedForGood(t *testing.T) {
	p := newProvider(t)
	s := newSigner(t, "one", jose.RS256)
	a := start(t, Config{JWT: []Issuer{p.issuer()}})
	_, refusal := a.Identify(t.Context(), Credentials{Authorization: []string{s.token(t, claims(p))}})
	require.Equal(t, &Refusal{Text: "the keys of the token's issuer cannot be fetched; try again later", Retry: true}, refusal)

	p.serve(s)
	a = start(t, Config{JWT: []Issuer{p.issuer()}})
	require.Equal(t, "ada", try(t, a, s.token(t, claims(p))), "the first request waits")
}

// TestAFloodFetchesOnce: whatever clients send, an issuer is asked once for them all, and only so
// many of them wait.
func TestAFloodFetchesOnce(t *testing.T) {
	p := newProvider(t)
	s := newSigner(t, "one", jose.ES256)
	entered, proceed := make(chan struct{}, 8), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		select {
		case <-proceed:
		case <-r.Context().Done():
		}
		_, _ = w.Write([]byte(`{}`))
	}))
	defer slow.Close()
	c := p.issuer()
	c.JWKSURL = slow.URL
	a, err := New(Config{JWT: []Issuer{c}}, quiet())
	require.NoError(t, err)
	token := s.token(t, claims(p))
	first := a.issuers[0].fetch()
	<-entered
	const flood = 2 * maxWaiting
	texts := make(chan string, flood)
	for range flood {
		go func() { texts <- try(t, a, token) }()
	}
	for range flood - maxWaiting {
		require.Equal(t, "the keys of the token's issuer are being fetched; try again later", <-texts)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, refusal := a.Identify(ctx, Credentials{Authorization: []string{token}})
	require.True(t, refusal.Retry)
	close(proceed)
	<-first
	for range maxWaiting {
		require.Equal(t, "the keys of the token's issuer cannot be fetched; try again later", <-texts)
	}
	require.Empty(t, entered)
}

func TestManyClientsWhileKeysRotate(t *testing.T) {
	p := newProvider(t)
	s := newSigner(t, "one", jose.EdDSA)
	p.serve(s)
	a := start(t, Config{JWT: []Issuer{p.issuer()}})
	a.issuers[0].pause = 0
	token := s.token(t, claims(p))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				require.Equal(t, "ada", try(t, a, token))
			}
		})
	}
	other := newSigner(t, "other", jose.EdDSA)
	for range 20 {
		try(t, a, other.token(t, claims(p)))
		p.serve(s, newSigner(t, "new", jose.EdDSA))
	}
	all.Wait()
}

func TestIssuersThatCannotBeUsed(t *testing.T) {
	const good = "https://i.example.com"
	audiences := []string{"a"}
	for wanted, c := range map[string]Issuer{
		"needs its URL and at least one audience":                             {Issuer: good},
		"issuer must be a URL that begins with https:// and has no password":  {Issuer: "http://i.example.com", Audiences: audiences},
		"jwksURL must be a URL that begins with https:// and has no password": {Issuer: "i", Audiences: audiences, JWKSURL: "https://a:b@c"},
		"ca has no certificate in PEM":                                        {Issuer: good, Audiences: audiences, CA: "x"},
	} {
		_, err := New(Config{JWT: []Issuer{c}}, quiet())
		require.ErrorContains(t, err, wanted)
	}
	one := Issuer{Issuer: good, Audiences: audiences}
	_, err := New(Config{JWT: []Issuer{one, one}}, quiet())
	require.ErrorContains(t, err, "is listed twice")
	_, err = New(Config{Workflows: []string{"a"}}, quiet())
	require.ErrorContains(t, err, "no client could be authenticated")
	a, err := New(Config{}, quiet())
	require.NoError(t, err)
	require.Nil(t, a)
	require.False(t, a.Workflow("x"))
	require.False(t, a.All())
}

// TestResponsesOfAnIssuerThatCannotBeTrusted: what is fetched is checked as what is configured is.
func TestResponsesOfAnIssuerThatCannotBeTrusted(t *testing.T) {
	for wanted, respond := range map[string]func(http.ResponseWriter, *http.Request){
		"does not describe this issuer": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"issuer":"https://other.example.com","jwks_uri":"https://other.example.com/keys"}`))
		},
		"jwks_uri must be a URL that begins with https://": func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(`{"issuer":"http://` + r.Host + `","jwks_uri":"http://other.example.com/keys"}`))
		},
		"redirects too often, or not to https://": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://other.example.com/", http.StatusFound)
		},
		"the response has more than 1048576 bytes": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(strings.Repeat(" ", maxSetBytes+1)))
		},
		"HTTP status 404": http.NotFound,
	} {
		server := httptest.NewServer(http.HandlerFunc(respond))
		i, err := newIssuer(Issuer{Issuer: server.URL, Audiences: []string{"a"}}, quiet())
		require.NoError(t, err)
		require.ErrorContains(t, i.renew(), wanted)
		server.Close()
	}
	p := newProvider(t)
	i, err := newIssuer(Issuer{Issuer: p.URL, Audiences: []string{"a"}}, quiet())
	require.NoError(t, err)
	require.ErrorContains(t, i.renew(), "certificate signed by unknown authority")
}
