package authentication

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"krt.dev/kn-krt/pkg/runner/clip"
)

// leeway is by how much the clocks of an issuer and of this machine may differ.
const leeway = time.Minute

// maxNameBytes bounds the name of a client.
const maxNameBytes = 128

// algorithms returns the signatures that are accepted: those whose keys an issuer may publish. A
// token that is not signed, or by a shared secret, is refused before its signature is read.
func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
	}
}

// token returns the client of the header authorization.
func (a *Authenticator) token(ctx context.Context, header string) (Client, *Refusal) {
	scheme, text, _ := strings.Cut(header, " ")
	text = strings.Trim(text, " ")
	switch {
	case !strings.EqualFold(scheme, "Bearer") || text == "":
		return Client{}, refused("the header " + TokenHeader + " must have the scheme Bearer and a token")
	case len(text) > MaxTokenBytes:
		return Client{}, refused("the token has more than 16 KiB")
	case !compact(text):
		return Client{}, refused(notSigned)
	}
	now, digest := time.Now(), sha256.Sum256([]byte(text))
	if name, ok := a.verified.find(digest, now); ok {
		return Client{name}, nil
	}
	valid, refusal := a.verify(ctx, text, now)
	if refusal != nil {
		return Client{}, refusal
	}
	a.verified.add(digest, *valid)
	return Client{valid.name}, nil
}

// verify returns what is to be remembered of a token that is valid. What costs much is done last: a
// signature is verified only if everything else of the token is right.
func (a *Authenticator) verify(ctx context.Context, text string, now time.Time) (*verdict, *Refusal) {
	token, err := jwt.ParseSigned(text, algorithms())
	if err != nil {
		if errors.As(err, new(*jose.ErrUnexpectedSignatureAlgorithm)) {
			return nil, refused("the token's signature is of an algorithm that is not accepted")
		}
		return nil, refused(notSigned)
	}
	var claims jwt.Claims
	if token.UnsafeClaimsWithoutVerification(&claims) != nil {
		return nil, refused("the token's claims cannot be read")
	}
	i := a.issuer(claims.Issuer)
	if i == nil {
		return nil, refused("the token's issuer (iss) is not one that is accepted")
	}
	if problem := i.check(claims, now); problem != "" {
		return nil, refused(problem)
	}
	set, key, refusal := i.key(ctx, token.Headers[0])
	if refusal != nil {
		return nil, refusal
	}
	if token.Claims(key) != nil {
		return nil, refused("the token's signature is wrong")
	}
	name := clip.Text(claims.Subject, maxNameBytes)
	return &verdict{name: name, issuer: i, set: set, until: claims.Expiry.Time().Add(leeway)}, nil
}

const notSigned = "the token is not a signed JWT"

// compact reports whether a text has the form of a signed token: three parts in base64url. The
// library would also read it with white space and padding, and one token has one spelling.
func compact(text string) bool {
	dots := 0
	for i := range len(text) {
		switch c := text[i]; {
		case c == '.':
			dots++
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return dots == 2
}

// check returns why the claims of a token of i are not accepted now; "" if they are.
func (i *issuer) check(c jwt.Claims, now time.Time) string {
	switch {
	case !slices.ContainsFunc(i.Audiences, c.Audience.Contains):
		return "the token's audience (aud) is not one that is accepted"
	case c.Expiry == nil:
		return "the token does not expire: it must have exp"
	case !now.Before(c.Expiry.Time().Add(leeway)):
		return "the token has expired (exp)"
	case c.NotBefore != nil && now.Add(leeway).Before(c.NotBefore.Time()):
		return "the token is not valid yet (nbf)"
	case c.IssuedAt != nil && now.Add(leeway).Before(c.IssuedAt.Time()):
		return "the token was issued in the future (iat)"
	}
	return ""
}

// maxVerified is how many tokens are remembered at most.
const maxVerified = 4096

// verified remembers tokens that have been verified, by their digests. A client sends the same
// token many times, and a signature costs more than all else of a short request here.
type verified struct {
	mu     sync.RWMutex
	tokens map[[sha256.Size]byte]verdict
}

// verdict is what is known of a verified token. It holds until the token expires, and no longer
// than its issuer has the keys with which it was verified.
type verdict struct {
	name   string
	issuer *issuer
	set    *keySet
	until  time.Time
}

func newVerified() *verified { return &verified{tokens: map[[sha256.Size]byte]verdict{}} }

func (v *verified) find(digest [sha256.Size]byte, now time.Time) (name string, ok bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	found, ok := v.tokens[digest]
	return found.name, ok && now.Before(found.until) && found.issuer.set.Load() == found.set
}

// add remembers a token. Tokens that nobody could have made do not get here, so that only clients
// of the issuers fill it.
func (v *verified) add(digest [sha256.Size]byte, found verdict) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.tokens) >= maxVerified {
		clear(v.tokens)
	}
	v.tokens[digest] = found
}
