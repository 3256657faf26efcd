package pyrunner_test

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStoreIsShownTheCredential(t *testing.T) {
	shown := make(chan string, 4)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown <- r.Header.Get("Authorization")
		_, _ = w.Write([]byte(`{"id": "7"}`))
	})
	plain, secure := httptest.NewServer(handler), httptest.NewTLSServer(handler)
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	folder := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	write("credential", "krt1.node.kre.v.k.s\n")
	write("ca.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})))
	for _, address := range []string{plain.URL, secure.URL} {
		n := start(t, `async def handler(ctx, data): return StringValue(value=await ctx.db.save("c", {}))`,
			map[string]string{"KRT_STORE": address, "KRT_STORE_CREDENTIALS": folder})
		require.Equal(t, "7", n.text("x"))
		require.Equal(t, "Bearer krt1.node.kre.v.k.s", <-shown)
	}
}

// A store that refuses who sends, or how much, does not fail the request: its handler can
// do nothing about that.
func TestRefusedSendersAreLogged(t *testing.T) {
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests} {
		address, _ := keep(t, "tcp", status, `{"error": "no"}`)
		n := start(t, `async def handler(ctx, data):
    ctx.measurement.save("m", {"x": 1}, {})
    return StringValue(value="x")`, map[string]string{"KRT_STORE": address})
		require.Equal(t, "x", n.text("x"))
	}
}
