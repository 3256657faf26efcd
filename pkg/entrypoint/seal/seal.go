// Package seal makes and opens reply tokens: the sealed texts in events that say which request a
// reply may answer.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// KeyBytes is the length of a version's key: AES-256.
const KeyBytes = 32

// maxToken bounds what is decoded as a token: an id, an instant and a host:port.
const maxToken = 512

// ID names a request: 128 random bits.
type ID [16]byte

// String returns the id in hex, as the correlation id has it.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// ParseID reads an id as [ID.String] writes it.
func ParseID(text string) (id ID, ok bool) {
	n, err := hex.Decode(id[:], []byte(text[:min(len(text), 2*len(id)+1)]))
	return id, err == nil && n == len(id) && len(text) == 2*len(id)
}

// Sealer makes and opens reply tokens: base64url(nonce, AES-256-GCM(request id,
// expiry, replica's address)), with the version's name as additional data. Only
// a node that got a request's event can reply to it. Random nonces are safe for
// 2^32 tokens a key, and a version is replaced long before.
type Sealer struct {
	aead    cipher.AEAD
	version []byte
	address string
}

// Token is what a token holds.
type Token struct {
	// ID names the request.
	ID ID
	// Expiry is when the token ceases to be good.
	Expiry time.Time
	// Address is that of the reply port of the replica that holds the request; it may be empty.
	Address string
}

// Why a token is refused.
var (
	ErrToken   = errors.New("the reply token does not verify")
	ErrExpired = errors.New("the reply token has expired")
)

// New returns the sealer of a replica: key is the version's, address that of its reply port. The
// error says that the key is of another length than [KeyBytes].
func New(key []byte, version, address string) (*Sealer, error) {
	if len(key) != KeyBytes {
		return nil, fmt.Errorf("cannot seal reply tokens: the key has %d bytes, want %d", len(key), KeyBytes)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("cannot seal reply tokens: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("cannot seal reply tokens: %w", err)
	}
	return &Sealer{aead, []byte(version), address}, nil
}

// Address is that of the replica's own reply port; it may be empty.
func (s *Sealer) Address() string { return s.address }

// Foreign reports whether a token is of a request that another replica holds.
func (s *Sealer) Foreign(t Token) bool { return t.Address != "" && t.Address != s.Address() }

// Seal makes the id of a new request and the token for replies to it.
func (s *Sealer) Seal(expiry time.Time) (ID, string) {
	var id ID
	_, _ = rand.Read(id[:])
	return id, s.SealFor(id, expiry)
}

// SealFor makes a token for replies to a request that has an id.
func (s *Sealer) SealFor(id ID, expiry time.Time) string {
	var nonce [12]byte
	_, _ = rand.Read(nonce[:])
	plain := make([]byte, 0, 16+8+len(s.address))
	plain = append(plain, id[:]...)
	plain = binary.BigEndian.AppendUint64(plain, uint64(expiry.UnixMilli()))
	plain = append(plain, s.address...)
	out := make([]byte, len(nonce), len(nonce)+len(plain)+s.aead.Overhead())
	copy(out, nonce[:])
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(out, nonce[:], plain, s.version))
}

// Open verifies a token. The error is [ErrToken] or [ErrExpired]; a token that has only expired is
// returned too.
func (s *Sealer) Open(token string, now time.Time) (Token, error) {
	if len(token) > maxToken {
		return Token{}, ErrToken
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) < s.aead.NonceSize() {
		return Token{}, ErrToken
	}
	nonce, box := raw[:s.aead.NonceSize()], raw[s.aead.NonceSize():]
	plain, err := s.aead.Open(nil, nonce, box, s.version)
	if err != nil || len(plain) < 16+8 {
		return Token{}, ErrToken
	}
	t := Token{
		ID:      ID(plain[:16]),
		Expiry:  time.UnixMilli(int64(binary.BigEndian.Uint64(plain[16:24]))),
		Address: string(plain[24:]),
	}
	if now.After(t.Expiry) {
		return t, ErrExpired
	}
	return t, nil
}
