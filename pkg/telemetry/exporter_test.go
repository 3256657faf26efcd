package telemetry

import (
	"context"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The exporter would print the value, and send without the header.
func TestAVariableOfTheExporterIsNamedWithoutItsValue(t *testing.T) {
	junk := filepath.Join(t.TempDir(), "SUPERSECRET")
	require.NoError(t, os.WriteFile(junk, []byte("SUPERSECRET"), 0o600))
	for name, c := range map[string]struct{ variable, value, want string }{
		"an escape":     {"HEADERS", "authorization=Basic%20SUPERSECRET%zz", "key=value,key=value"},
		"no key":        {"TRACES_HEADERS", "x=y,SUPERSECRET", "key=value,key=value"},
		"a bad key":     {"HEADERS", "SUPER SECRET=x", "key=value,key=value"},
		"a line break":  {"HEADERS", "x=SUPERSECRET%0d%0ay", "key=value,key=value"},
		"a time":        {"TIMEOUT", "10s", "it is not a positive number of milliseconds"},
		"no time":       {"TRACES_TIMEOUT", "0", "it is not a positive number of milliseconds"},
		"a certificate": {"CERTIFICATE", junk, "there is no file of that name with certificates in PEM"},
		"no file":       {"TRACES_CERTIFICATE", junk + "x", "there is no file of that name with certificates in PEM"},
		"half a pair":   {"CLIENT_CERTIFICATE", junk, "that of OTEL_EXPORTER_OTLP_CLIENT_KEY are not a certificate and its key in PEM"},
	} {
		t.Run(name, func(t *testing.T) {
			environment(t, EnvEndpoint, "https://127.0.0.1:1", exporterPrefix+c.variable, c.value)
			r, err := FromEnvironment(Process{}, slog.New(slog.DiscardHandler))
			require.ErrorContains(t, err, exporterPrefix+c.variable+": ")
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "SUPER")
			require.Nil(t, r)
		})
	}
}

func TestHeadersAreSentAndNoRedirectIsFollowed(t *testing.T) {
	var authorization string
	followed := false
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/traces", func(w http.ResponseWriter, r *http.Request) {
		authorization = r.Header.Get("Authorization")
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/elsewhere", func(w http.ResponseWriter, _ *http.Request) {
		followed = true
		w.WriteHeader(http.StatusAccepted)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	environment(t, EnvEndpoint, server.URL, exporterPrefix+"HEADERS", "authorization=Basic%20eA==, x=y", exporterPrefix+"TIMEOUT", "60000")
	settings, err := readExporter()
	require.NoError(t, err)
	client := newClient(HTTP, settings)
	require.NoError(t, client.Start(context.Background()))
	require.ErrorContains(t, client.UploadTraces(t.Context(), nil), "307")
	require.Equal(t, "Basic eA==", authorization)
	require.False(t, followed)
}

func TestTheCertificateOfACollectorIsTrusted(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	path := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	require.NoError(t, os.WriteFile(path, text, 0o600))
	environment(t, EnvEndpoint, server.URL, exporterPrefix+"TRACES_CERTIFICATE", path)
	settings, err := readExporter()
	require.NoError(t, err)
	client := newClient(HTTP, settings)
	require.NoError(t, client.Start(context.Background()))
	require.NoError(t, client.UploadTraces(t.Context(), nil))
}
