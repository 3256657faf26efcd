package authentication

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"
)

func TestTokensOfAllAlgorithms(t *testing.T) {
	p := newProvider(t)
	var all []signer
	for _, algorithm := range []jose.SignatureAlgorithm{jose.RS256, jose.PS384, jose.RS512, jose.ES256, jose.ES384, jose.EdDSA} {
		all = append(all, newSigner(t, string(algorithm), algorithm))
	}
	p.serve(all...)
	a := start(t, Config{JWT: []Issuer{p.issuer()}})
	for _, s := range all {
		token := s.token(t, claims(p))
		require.Equal(t, "ada", try(t, a, token), s.id)
		require.Equal(t, "ada", try(t, a, token), "from memory")
	}
	require.Equal(t, "ada", try(t, a, strings.Replace(all[3].token(t, claims(p)), "Bearer", "bEARER ", 1)))
	require.EqualValues(t, 1, p.fetches.Load())
}

func TestTokensThatAreRefused(t *testing.T) {
	p := newProvider(t)
	s, other := newSigner(t, "one", jose.ES256), newSigner(t, "one", jose.ES256)
	p.serve(s, newSigner(t, "two", jose.RS256))
	a := start(t, Config{JWT: []Issuer{p.issuer()}})
	good := s.token(t, claims(p))
	require.Equal(t, "ada", try(t, a, good))
	with := func(change func(*jwt.Claims)) string { return s.token(t, claims(p, change)) }
	in := func(d time.Duration) *jwt.NumericDate { return jwt.NewNumericDate(time.Now().Add(d)) }
	parts := strings.Split(strings.TrimPrefix(good, "Bearer "), ".")
	for wanted, tokens := range map[string][]string{
		"the header authorization must have the scheme Bearer and a token": {"", "Bearer", "Bearer ", "Basic YTpi", parts[0]},
		"the token has more than 16 KiB":                                   {good + strings.Repeat("a", MaxTokenBytes)},
		"the token is not a signed JWT": {"Bearer x", "Bearer a.b.c", good + ".", good + ".a.b", "Bearer " + parts[0] + "." + parts[1],
			good + "\n", good + "="},
		"the token's signature is of an algorithm that is not accepted": {unsigned(t, p, "none"), unsigned(t, p, "HS256"),
			symmetric(t, p, s)},
		"the token's claims cannot be read": {unclaimed(t, s)},
		"the token's issuer (iss) is not one that is accepted": {
			with(func(c *jwt.Claims) { c.Issuer += "/" }), with(func(c *jwt.Claims) { c.Issuer = "" }),
		},
		"the token's audience (aud) is not one that is accepted": {
			with(func(c *jwt.Claims) { c.Audience = jwt.Audience{"other"} }), with(func(c *jwt.Claims) { c.Audience = nil }),
		},
		"the token does not expire: it must have exp": {with(func(c *jwt.Claims) { c.Expiry = nil })},
		"the token has expired (exp)":                 {with(func(c *jwt.Claims) { c.Expiry = in(-2 * time.Minute) })},
		"the token is not valid yet (nbf)":            {with(func(c *jwt.Claims) { c.NotBefore = in(2 * time.Minute) })},
		"the token was issued in the future (iat)":    {with(func(c *jwt.Claims) { c.IssuedAt = in(2 * time.Minute) })},
		"the token's signature is wrong": {
			other.token(t, claims(p)), "Bearer " + parts[0] + "." + parts[1] + ".AAAA",
		},
		"the token is not signed by a key of its issuer": {
			newSigner(t, "none", jose.ES256).token(t, claims(p)), newSigner(t, "two", jose.ES256).token(t, claims(p)),
		},
	} {
		for _, token := range tokens {
			require.Equal(t, wanted, try(t, a, token), "%.60q", token)
		}
	}
	// Within the leeway.
	require.Equal(t, "ada", try(t, a, with(func(c *jwt.Claims) { c.Expiry = in(-30 * time.Second) })))
	require.Equal(t, "ada", try(t, a, with(func(c *jwt.Claims) { c.NotBefore, c.IssuedAt = in(30*time.Second), in(30*time.Second) })))
}

// unsigned is a token with an empty signature.
func unsigned(t *testing.T, p *provider, algorithm string) string {
	text, err := json.Marshal(claims(p))
	require.NoError(t, err)
	b := base64.RawURLEncoding.EncodeToString
	return "Bearer " + b([]byte(`{"alg":"`+algorithm+`","kid":"one"}`)) + "." + b(text) + "."
}

// symmetric is a token that takes the public key of the issuer for a shared secret.
func symmetric(t *testing.T, p *provider, s signer) string {
	key, err := jose.JSONWebKey{Key: s.private.Public()}.MarshalJSON()
	require.NoError(t, err)
	options := (&jose.SignerOptions{}).WithHeader("kid", "one")
	made, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: key}, options)
	require.NoError(t, err)
	text, err := jwt.Signed(made).Claims(claims(p)).Serialize()
	require.NoError(t, err)
	return "Bearer " + text
}

// unclaimed is a signed token that has a text where claims should be.
func unclaimed(t *testing.T, s signer) string {
	made, err := jose.NewSigner(jose.SigningKey{Algorithm: s.algorithm, Key: s.private}, nil)
	require.NoError(t, err)
	signed, err := made.Sign([]byte(`"claims"`))
	require.NoError(t, err)
	text, err := signed.CompactSerialize()
	require.NoError(t, err)
	return "Bearer " + text
}

func TestATokenNeedNotNameAnOnlyKey(t *testing.T) {
	p := newProvider(t)
	unnamed := newSigner(t, "", jose.ES256)
	p.serve(signer{"one", jose.ES256, unnamed.private}, newSigner(t, "two", jose.RS256))
	a := start(t, Config{JWT: []Issuer{p.issuer()}})
	require.Equal(t, "ada", try(t, a, unnamed.token(t, claims(p))))

	p.serve(signer{"one", jose.ES256, unnamed.private}, newSigner(t, "two", jose.ES256))
	a = start(t, Config{JWT: []Issuer{p.issuer()}})
	require.Equal(t, "the token is not signed by a key of its issuer", try(t, a, unnamed.token(t, claims(p))))
}

func TestKeysThatCannotVerify(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	for wanted, set := range map[string]string{
		"the keys are not a JWK set":                `[]`,
		"none of the 0 keys can verify a signature": `{}`,
		"none of the 5 keys can verify a signature": keysThatAreLeftOut(t, weak),
		"there are 300 keys, the limit is 256":      `{"keys":[` + strings.Repeat("1,", 299) + `1]}`,
		"the keys have more than 1048576 bytes":     strings.Repeat(" ", maxSetBytes+1),
	} {
		c := Issuer{Issuer: "https://issuer.example.com", Audiences: []string{"a"}, JWKS: set}
		_, err := New(Config{JWT: []Issuer{c}}, nil)
		require.ErrorContains(t, err, wanted)
		require.ErrorContains(t, err, `authentication: issuer "https://issuer.example.com": `)
	}
}

// keysThatAreLeftOut are a secret, keys of unknown kinds, one that is too short and one for
// encryption.
func keysThatAreLeftOut(t *testing.T, weak *rsa.PrivateKey) string {
	short, err := jose.JSONWebKey{Key: weak.Public()}.MarshalJSON()
	require.NoError(t, err)
	encrypts, err := jose.JSONWebKey{Key: newSigner(t, "", jose.ES256).private.Public(), Use: "enc"}.MarshalJSON()
	require.NoError(t, err)
	return `{"keys":[{"kty":"oct","k":"c2VjcmV0"},{"kty":"lattice"},{"kty":"EC","crv":"secp256k1"},` +
		string(short) + `,` + string(encrypts) + `]}`
}

func FuzzToken(f *testing.F) {
	p := newProvider(f)
	s := newSigner(f, "one", jose.ES256)
	set, err := json.Marshal(public(s))
	require.NoError(f, err)
	a, err := New(Config{JWT: []Issuer{{Issuer: p.URL, Audiences: []string{"prices"}, JWKS: string(set)}}}, nil)
	require.NoError(f, err)
	good := s.token(f, claims(p))
	f.Add(good)
	f.Add("Bearer a.b.c")
	f.Add("Bearer " + base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","crit":["b64"],"b64":false}`)) + ".e30.AAAA")
	f.Fuzz(func(t *testing.T, header string) {
		client, refusal := a.Identify(t.Context(), Credentials{Authorization: []string{header}})
		if refusal == nil { // nobody forges a token: it is the good one, in another spelling of its scheme
			require.Equal(t, "ada", client.Name)
			_, token, _ := strings.Cut(header, " ")
			require.Equal(t, strings.TrimPrefix(good, "Bearer "), strings.Trim(token, " "))
			return
		}
		require.NotEmpty(t, refusal.Text)
	})
}

func BenchmarkIdentify(b *testing.B) {
	p := newProvider(b)
	one, two := newSigner(b, "one", jose.ES256), newSigner(b, "two", jose.RS256)
	p.serve(one, two)
	a := start(b, Config{JWT: []Issuer{p.issuer()}})
	good := one.token(b, claims(p))
	require.Equal(b, "ada", try(b, a, good))
	for name, token := range map[string]string{
		"good":         good,
		"expired":      one.token(b, claims(p, func(c *jwt.Claims) { c.Expiry = jwt.NewNumericDate(time.Now().Add(-time.Hour)) })),
		"forged ES256": newSigner(b, "one", jose.ES256).token(b, claims(p)),
		"forged RS256": newSigner(b, "two", jose.RS256).token(b, claims(p)),
		"unknown key":  newSigner(b, "none", jose.ES256).token(b, claims(p)),
		"rubbish":      "Bearer " + strings.Repeat("a", 1000),
		"rubbish 16k":  "Bearer " + strings.Repeat("a", MaxTokenBytes),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				a.Identify(b.Context(), Credentials{Authorization: []string{token}})
			}
		})
	}
}
