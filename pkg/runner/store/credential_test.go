package store

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// write writes files into a new folder.
func write(t *testing.T, files map[string]string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestClientShowsItsCredential(t *testing.T) {
	var shown string
	server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		shown = r.Header.Get("Authorization")
	}))
	defer server.Close()
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	folder := write(t, map[string]string{FileCredential: "krt1.node.kre.v.k.s\n", FileCA: ca})

	client, err := New(server.URL, Credentials(folder))
	if err != nil {
		t.Fatal(err)
	}
	if err := client.SavePrediction(t.Context(), Origin{}, Prediction{}); err != nil {
		t.Error(err)
	}
	if shown != "Bearer krt1.node.kre.v.k.s" {
		t.Errorf("the server was shown %q", shown)
	}
	untrusting, err := New(server.URL, Credentials(write(t, map[string]string{FileCredential: "krt1"})))
	if err != nil {
		t.Fatal(err)
	}
	if err := untrusting.SavePrediction(t.Context(), Origin{}, Prediction{}); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v", err)
	}
}

// TestARedirectIsNotFollowed: neither what is saved nor the credential goes elsewhere.
func TestARedirectIsNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s came, with %q", r.Method, r.URL, r.Header.Get("Authorization"))
	}))
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	client, err := New(server.URL, Credentials(write(t, map[string]string{FileCredential: "krt1"})))
	if err != nil {
		t.Fatal(err)
	}
	err = client.SavePrediction(t.Context(), Origin{}, Prediction{})
	if err == nil || !strings.Contains(err.Error(), "the store responded with status 307") {
		t.Errorf("got %v", err)
	}
}

func TestCredentialsAreChecked(t *testing.T) {
	if _, err := New("http://store", Credentials("")); err != nil {
		t.Error(err)
	}
	for want, folder := range map[string]string{
		"cannot read the credentials": t.TempDir(),
		"is not a credential":         write(t, map[string]string{FileCredential: "two words"}),
		"there is no certificate":     write(t, map[string]string{FileCredential: "krt1", FileCA: "none"}),
	} {
		if _, err := New("http://store", Credentials(folder)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
