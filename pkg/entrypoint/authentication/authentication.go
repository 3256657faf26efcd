// Package authentication decides whether the client of a request is one that may call: by a
// token of an issuer (JWT, RFC 7519) or by an API key.
//
// It reads the header of a request only, and knows no Kubernetes: API keys are files in a folder,
// keys of issuers come over HTTPS or with the configuration.
package authentication

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/metadata"
)

// The headers, or metadata of gRPC, with credentials.
const (
	// TokenHeader has "Bearer" and a token.
	TokenHeader = "authorization"
	// KeyHeader has an API key.
	KeyHeader = "x-api-key"
)

const (
	// MaxTokenBytes bounds a token. Larger ones are refused unread.
	MaxTokenBytes = 16 << 10
	// MaxKeyBytes bounds an API key.
	MaxKeyBytes = 4 << 10
	// MinKeyBytes is how long an API key must be, so that it cannot be guessed.
	MinKeyBytes = 16
)

// Config says who may call what. The zero value lets every client call.
type Config struct {
	// JWT are the issuers whose tokens are accepted.
	JWT []Issuer `json:"jwt,omitempty"`
	// APIKeys is a folder with a file for each key: its name is the client's, its content the
	// key. It may change while requests are served. Empty: no keys are accepted.
	APIKeys string `json:"apiKeys,omitempty"`
	// Workflows are the names of those that require authentication; empty: all do.
	Workflows []string `json:"workflows,omitempty"`
}

// Issuer makes tokens.
type Issuer struct {
	// Issuer is the URL that tokens must have as iss, exactly.
	Issuer string `json:"issuer"`
	// Audiences are those of which a token must have one as aud.
	Audiences []string `json:"audiences"`
	// JWKS are the issuer's keys (a JWK set, RFC 7517), which do not change then.
	JWKS string `json:"jwks,omitempty"`
	// JWKSURL is where the issuer's keys are; it is not used if there are JWKS. With neither, they are where the issuer says by
	// OpenID Connect Discovery.
	JWKSURL string `json:"jwksURL,omitempty"`
	// CA are certificates (PEM) by one of which that of the issuer's server is signed. Empty: the
	// system's.
	CA string `json:"ca,omitempty"`
}

// Credentials are what a client sent: the values of the two headers.
type Credentials struct{ Authorization, APIKey []string }

// OfCall returns the credentials of a gRPC call.
func OfCall(ctx context.Context) Credentials {
	return Credentials{metadata.ValueFromIncomingContext(ctx, TokenHeader), metadata.ValueFromIncomingContext(ctx, KeyHeader)}
}

// OfRequest returns the credentials of a request over HTTP.
func OfRequest(r *http.Request) Credentials {
	return Credentials{r.Header.Values(TokenHeader), r.Header.Values(KeyHeader)}
}

// Client is an authenticated client.
type Client struct {
	// Name is the name of the API key, or the subject of the token. It may be shown.
	Name string
}

// Refusal is why a client is not authenticated. Its text has nothing of the credentials.
type Refusal struct {
	Text string
	// Retry means that it is not the client's fault: the keys of an issuer are not known.
	Retry bool
	// Sent means that the client sent credentials, which are wrong.
	Sent bool
}

// Status is the refusal as a client gets it: UNAUTHENTICATED, or UNAVAILABLE if it may try again.
func (r *Refusal) Status() *spb.Status {
	c := code.Code_UNAUTHENTICATED
	if r.Retry {
		c = code.Code_UNAVAILABLE
	}
	return &spb.Status{Code: int32(c), Message: r.Text}
}

// Authenticator authenticates clients. It may be used by many goroutines.
type Authenticator struct {
	workflows []string
	issuers   []*issuer
	verified  *verified
	keys      *keyFolder // nil: no API keys are accepted
	accepts   string     // what a client may send, for messages
}

// New returns an authenticator, or nil if c requires nothing. The error names what of c cannot be
// used, or why the API keys cannot be read. Those that change later are read by
// [Authenticator.Watch].
func New(c Config, log *slog.Logger) (*Authenticator, error) {
	if len(c.JWT) == 0 && c.APIKeys == "" {
		if len(c.Workflows) > 0 {
			return nil, fmt.Errorf("authentication: workflows require it, but no client could be authenticated: jwt and apiKeys are empty")
		}
		return nil, nil
	}
	a := &Authenticator{workflows: c.Workflows, verified: newVerified()}
	for _, one := range c.JWT {
		i, err := newIssuer(one, log)
		if err != nil {
			return nil, fmt.Errorf("authentication: issuer %q: %w", one.Issuer, err)
		}
		if a.issuer(one.Issuer) != nil {
			return nil, fmt.Errorf("authentication: issuer %q is listed twice", one.Issuer)
		}
		a.issuers = append(a.issuers, i)
	}
	a.accepts = "a token in the header " + TokenHeader + " (Bearer)"
	if c.APIKeys != "" {
		var err error
		if a.keys, err = newKeyFolder(c.APIKeys, log); err != nil {
			return nil, fmt.Errorf("authentication: %w", err)
		}
		accepts := "an API key in the header " + KeyHeader
		if len(c.JWT) > 0 {
			accepts = a.accepts + ", or " + accepts
		}
		a.accepts = accepts
	}
	return a, nil
}

// lookInterval is how often the folder of API keys is checked for changes.
const lookInterval = time.Second

// Watch keeps the keys of issuers and the API keys up to date until ctx is done.
func (a *Authenticator) Watch(ctx context.Context) {
	if a == nil {
		return
	}
	for _, i := range a.issuers {
		go i.watch(ctx)
	}
	if a.keys == nil {
		return
	}
	for tick := time.NewTicker(lookInterval); ; {
		select {
		case <-tick.C:
			a.keys.look()
		case <-ctx.Done():
			tick.Stop()
			return
		}
	}
}

// Workflow reports whether the workflow of a name requires authentication. "" is one whose name
// is not known before the request has been read: it does if any does.
func (a *Authenticator) Workflow(name string) bool {
	return a != nil && (name == "" || len(a.workflows) == 0 || slices.Contains(a.workflows, name))
}

// All reports whether every workflow requires authentication.
func (a *Authenticator) All() bool { return a != nil && len(a.workflows) == 0 }

// Identify returns the client that has the credentials, or why there is none. It waits, until ctx
// is done and not for long, for the keys of an issuer that are being fetched.
func (a *Authenticator) Identify(ctx context.Context, c Credentials) (Client, *Refusal) {
	keys, tokens := a.keys != nil && len(c.APIKey) > 0, len(a.issuers) > 0 && len(c.Authorization) > 0
	switch {
	case keys && len(c.APIKey) > 1, tokens && len(c.Authorization) > 1:
		return Client{}, refused("the request has several credentials of one kind; it must have one")
	case keys:
		if name, ok := a.keys.find(c.APIKey[0]); ok {
			return Client{name}, nil
		}
		if !tokens {
			return Client{}, refused("the API key is not one that is accepted")
		}
		fallthrough
	case tokens:
		return a.token(ctx, c.Authorization[0])
	}
	return Client{}, &Refusal{Text: "this requires authentication: send " + a.accepts}
}

// Challenge is the header WWW-Authenticate (RFC 9110, RFC 6750) of the response to a client that
// is refused by the server realm.
func (a *Authenticator) Challenge(realm string, r *Refusal) string {
	if len(a.issuers) == 0 {
		return fmt.Sprintf("ApiKey realm=%q", realm)
	}
	if !r.Sent {
		return fmt.Sprintf("Bearer realm=%q", realm)
	}
	return fmt.Sprintf("Bearer realm=%q, error=\"invalid_token\"", realm)
}

// refused is a refusal of credentials.
func refused(text string) *Refusal { return &Refusal{Text: text, Sent: true} }

func (a *Authenticator) issuer(name string) *issuer {
	for _, i := range a.issuers {
		if i.Issuer.Issuer == name {
			return i
		}
	}
	return nil
}
