// Package credential makes and checks what a version shows to the store and to the queue: a
// text that names a namespace and a version, sealed with the store's key. The controller makes
// it, these check it, and the nodes and users who have it can change nothing in it.
package credential

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// KeySize is the size of a new key, and the least of any, in bytes.
const KeySize = 32

const (
	scheme    = "krt1" // of the credentials; another form would have another one
	fields    = 5      // scheme, role, namespace, version, id of the key
	maxText   = 512    // bytes of a credential
	maxKey    = 4096   // bytes of a key
	maxKeys   = 16     // in a folder
	idSize    = 8      // bytes of a digest that identify a key
	separator = "."
)

// Role is what a credential is for.
type Role string

const (
	// Node saves and finds, as a version's nodes do. It reaches no letters.
	Node Role = "handler"
	// Entrypoint saves measurements and keeps letters, as a version's entrypoint does.
	Entrypoint Role = "entrypoint"
	// Shared is both, for a version that an older kn-krt has started: one credential is in the
	// pods of its nodes and of its entrypoint.
	Shared Role = "node"
	// Owner also exports, imports and deletes the data of the namespace. Nodes do not have
	// it, only users who may read Secrets there.
	Owner Role = "owner"
	// Queue gives access to the version's events in the queue of durable deliveries, and not
	// to the store. Only the entrypoint and the controller have it.
	Queue Role = "queue"
)

// roles are all roles.
var roles = []Role{Node, Entrypoint, Shared, Owner, Queue}

// Holder is whom a credential is for.
type Holder struct {
	Role Role
	// Namespace is the runtime whose data it gives access to, and Version saves it.
	Namespace, Version string
}

// ErrInvalid is the error of [Keys.Check]. It does not report which part is wrong.
var ErrInvalid = errors.New("the credential is not valid here")

// NewKey returns a new key.
func NewKey() []byte {
	key := make([]byte, KeySize)
	_, _ = rand.Read(key) // it never fails, and ends the program where the system has no randomness
	return key
}

// KeyID identifies a key without revealing it: 16 hexadecimal digits.
func KeyID(key []byte) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:idSize])
}

// New returns the credential of a holder, sealed with key: a word of letters, digits and
// the characters ".", "-" and "_". Names must be DNS labels, as those of namespaces and
// versions are.
func New(key []byte, h Holder) string {
	text := strings.Join([]string{scheme, string(h.Role), h.Namespace, h.Version, KeyID(key)}, separator)
	return text + separator + seal(key, text)
}

func seal(key []byte, text string) string {
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(text)) // a hash does not fail
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// Keys are those of a store, by their id: the one in use, and during a change of keys
// the one before it or after it.
type Keys map[string][]byte

// NewKeys returns Keys with the given ones.
func NewKeys(keys ...[]byte) Keys {
	all := Keys{}
	for _, key := range keys {
		all[KeyID(key)] = key
	}
	return all
}

// label is the form of a namespace's or version's name.
var label = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// Check returns whom a credential is for, or [ErrInvalid]. How long it takes does not
// depend on how much of a seal is right.
func (k Keys) Check(text string) (Holder, error) {
	at := strings.LastIndex(text, separator)
	if len(text) > maxText || at < 0 {
		return Holder{}, ErrInvalid
	}
	parts := strings.Split(text[:at], separator)
	if len(parts) != fields || parts[0] != scheme {
		return Holder{}, ErrInvalid
	}
	h := Holder{Role: Role(parts[1]), Namespace: parts[2], Version: parts[3]}
	key, known := k[parts[4]]
	sealed := hmac.Equal([]byte(text[at+1:]), []byte(seal(key, text[:at])))
	if !known || !sealed || !slices.Contains(roles, h.Role) || !label.MatchString(h.Namespace) || !label.MatchString(h.Version) {
		return Holder{}, ErrInvalid
	}
	return h, nil
}

// ReadKeys reads the keys in a folder, such as that of a mounted Secret: each file is a
// key. Files whose names begin with a dot are left out. It fails if there is none, or one
// that is too short to be a key.
func ReadKeys(folder string) (Keys, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	keys := Keys{}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		key, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		switch {
		case err != nil:
			return nil, err
		case len(key) < KeySize || len(key) > maxKey:
			return nil, fmt.Errorf("the key %q has %d bytes: it must have %d to %d", entry.Name(), len(key), KeySize, maxKey)
		case len(keys) == maxKeys:
			return nil, fmt.Errorf("there are more than %d keys in %q", maxKeys, folder)
		}
		keys[KeyID(key)] = key
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("there is no key in %q", folder)
	}
	return keys, nil
}
