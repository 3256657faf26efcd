package seal_test

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint/seal"
)

// FuzzToken: no text opens that was not sealed, and no sealed token with one
// character changed.
func FuzzToken(f *testing.F) {
	key := make([]byte, seal.KeyBytes)
	_, _ = rand.Read(key) // each of the fuzzer's processes has its own
	s, err := seal.New(key, "v1", "127.0.0.1:8081")
	require.NoError(f, err)
	now := time.UnixMilli(1_700_000_000_000)
	id, token := s.Seal(now)
	opened, err := s.Open(token, now)
	require.NoError(f, err)
	require.Equal(f, seal.Token{ID: id, Expiry: now, Address: "127.0.0.1:8081"}, opened)
	for i, seed := range []string{"", "A", strings.Repeat("A", 76), strings.Repeat("A", 513), "=", "\x00", "-_-_"} {
		f.Add(seed, uint(i*11), byte('A'+i))
	}
	f.Fuzz(func(t *testing.T, text string, at uint, char byte) {
		_, err := s.Open(text, now)
		require.Error(t, err)
		changed := []byte(token)
		changed[at%uint(len(changed))] = char
		if string(changed) != token {
			_, err = s.Open(string(changed), now)
			require.Error(t, err, "%q", changed)
		}
	})
}

func TestAKeyIsOfAES256(t *testing.T) {
	_, err := seal.New(make([]byte, 16), "v1", "")
	require.EqualError(t, err, "cannot seal reply tokens: the key has 16 bytes, want 32")
}
