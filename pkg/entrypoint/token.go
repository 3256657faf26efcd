package entrypoint

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// keyBytes is the length of a version's key: AES-256.
const keyBytes = 32

// maxToken bounds what is decoded as a token: an id, an instant and a host:port.
const maxToken = 512

// sealer makes and opens reply tokens: base64url(nonce, AES-256-GCM(request id,
// expiry, replica's address)), with the version's name as additional data. Only
// a node that got a request's event can reply to it. Random nonces are safe for
// 2^32 tokens a key, and a version is replaced long before.
type sealer struct {
	aead    cipher.AEAD
	version []byte
	address string
}

// sealed is what a token holds.
type sealed struct {
	id      requestID
	expiry  time.Time
	address string // of the reply port of the replica that holds the request; may be empty
}

var (
	errToken   = errors.New("the reply token does not verify")
	errExpired = errors.New("the reply token has expired")
)

func newSealer(key []byte, version, address string) (*sealer, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("cannot seal reply tokens: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("cannot seal reply tokens: %w", err)
	}
	return &sealer{aead, []byte(version), address}, nil
}

// seal makes the id of a new request and the token for replies to it.
func (s *sealer) seal(expiry time.Time) (requestID, string) {
	var random [16 + 12]byte // id and nonce
	_, _ = rand.Read(random[:])
	id, nonce := requestID(random[:16]), random[16:]
	plain := make([]byte, 0, 16+8+len(s.address))
	plain = append(plain, id[:]...)
	plain = binary.BigEndian.AppendUint64(plain, uint64(expiry.UnixMilli()))
	plain = append(plain, s.address...)
	out := make([]byte, len(nonce), len(nonce)+len(plain)+s.aead.Overhead())
	copy(out, nonce)
	return id, base64.RawURLEncoding.EncodeToString(s.aead.Seal(out, nonce, plain, s.version))
}

// open verifies a token. The error is errToken or errExpired.
func (s *sealer) open(token string, now time.Time) (sealed, error) {
	if len(token) > maxToken {
		return sealed{}, errToken
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) < s.aead.NonceSize() {
		return sealed{}, errToken
	}
	nonce, box := raw[:s.aead.NonceSize()], raw[s.aead.NonceSize():]
	plain, err := s.aead.Open(nil, nonce, box, s.version)
	if err != nil || len(plain) < 16+8 {
		return sealed{}, errToken
	}
	t := sealed{
		id:      requestID(plain[:16]),
		expiry:  time.UnixMilli(int64(binary.BigEndian.Uint64(plain[16:24]))),
		address: string(plain[24:]),
	}
	if now.After(t.expiry) {
		return t, errExpired
	}
	return t, nil
}
