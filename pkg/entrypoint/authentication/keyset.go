package authentication

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

const (
	// maxSetBytes and maxKeys bound a JWK set.
	maxSetBytes = 1 << 20
	maxKeys     = 256
	// minRSABits is the least that is accepted (RFC 7518, section 3.3).
	minRSABits = 2048
	maxRSABits = 8192
)

// keySet are the keys of an issuer at one time.
type keySet struct {
	text string // of which it was read
	keys []jose.JSONWebKey
}

// readKeySet reads a JWK set. Keys that cannot verify a signature, or are of a kind that is not
// known, are left out (RFC 7517, section 5). The error is that none is left.
func readKeySet(text string) (*keySet, error) {
	if len(text) > maxSetBytes {
		return nil, fmt.Errorf("the keys have more than %d bytes", maxSetBytes)
	}
	var raw struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal([]byte(text), &raw) != nil {
		return nil, errors.New(`the keys are not a JWK set, {"keys": [...]}`)
	}
	if len(raw.Keys) > maxKeys {
		return nil, fmt.Errorf("there are %d keys, the limit is %d", len(raw.Keys), maxKeys)
	}
	set := &keySet{text: text}
	for _, one := range raw.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(one) == nil && usable(key) {
			set.keys = append(set.keys, key.Public())
		}
	}
	if len(set.keys) == 0 {
		return nil, fmt.Errorf("none of the %d keys can verify a signature", len(raw.Keys))
	}
	return set, nil
}

// usable reports whether a key is for verifying signatures, and strong enough.
func usable(key jose.JSONWebKey) bool {
	if key.Use != "" && key.Use != "sig" || !key.Valid() {
		return false
	}
	switch public := key.Public().Key.(type) {
	case *rsa.PublicKey:
		return public.N.BitLen() >= minRSABits && public.N.BitLen() <= maxRSABits
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	}
	return false
}

// find returns the key with which a token of the header is signed; nil if there is none. A token
// need not name its key if only one fits.
func (s *keySet) find(header jose.Header) *jose.JSONWebKey {
	var found *jose.JSONWebKey
	for i := range s.keys {
		key := &s.keys[i]
		switch {
		case !fits(key, jose.SignatureAlgorithm(header.Algorithm)):
		case header.KeyID != "" && key.KeyID == header.KeyID:
			return key
		case header.KeyID == "" && found != nil:
			return nil
		case header.KeyID == "":
			found = key
		}
	}
	return found
}

// fits reports whether a key makes signatures of an algorithm.
func fits(key *jose.JSONWebKey, algorithm jose.SignatureAlgorithm) bool {
	if key.Algorithm != "" && key.Algorithm != string(algorithm) {
		return false
	}
	switch public := key.Key.(type) {
	case *rsa.PublicKey:
		return algorithm[0] == 'R' || algorithm[0] == 'P'
	case *ecdsa.PublicKey:
		curve := map[jose.SignatureAlgorithm]string{jose.ES256: "P-256", jose.ES384: "P-384", jose.ES512: "P-521"}[algorithm]
		return public.Params().Name == curve
	case ed25519.PublicKey:
		return algorithm == jose.EdDSA
	}
	return false
}
