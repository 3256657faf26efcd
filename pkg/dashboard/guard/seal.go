package guard

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// maxSignedIn is how long a user stays signed in at most, however long the token lives.
const maxSignedIn = 12 * time.Hour

// seal keeps a token in a cookie in a form that only this process can read, because browsers send
// a cookie to all ports of a host: with several forwarded ports these are different programs of
// the host localhost.
type seal struct{ box cipher.AEAD }

func newSeal() *seal {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // 32 bytes are a key
	}
	box, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // AES has the block size of GCM
	}
	return &seal{box}
}

// close returns the value of the cookie for a token that is pasted at a time.
func (s *seal) close(token string, at time.Time) string {
	text := binary.BigEndian.AppendUint64(nil, uint64(at.Unix()))
	sealed := s.box.Seal(nil, nil, append(text, token...), nil) //nolint:gosec // G407: the box makes the nonce itself
	return base64.RawURLEncoding.EncodeToString(sealed)
}

// errTooOld is the cause for requests that were open at the end of a cookie.
var errTooOld = &EndedError{"You have been signed in for 12 hours, which is the longest. Load this page again to sign in."}

// open returns the token in a cookie's value, and when that ends; "" if there is none, or it is too
// old.
func (s *seal) open(value string, now time.Time) (token string, end time.Time) {
	sealed, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil {
		return "", end
	}
	text, err := s.box.Open(nil, nil, sealed, nil)
	if err != nil || len(text) < 8 {
		return "", end
	}
	end = time.Unix(int64(binary.BigEndian.Uint64(text)), 0).Add(maxSignedIn)
	if now.After(end) {
		return "", end
	}
	return string(text[8:]), end
}
