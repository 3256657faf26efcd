package capture

import (
	"bytes"
	"context"
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/inspection"
)

// differenceClient returns a client of c's inspection port.
func differenceClient(t *testing.T, c *Capture) *inspection.Client {
	t.Helper()
	server := httptest.NewServer(c.Server(context.Background(), nil).Handler)
	t.Cleanup(server.Close)
	client, err := inspection.New(server.URL, nil)
	require.NoError(t, err)
	return client
}

func TestDifferences(t *testing.T) {
	c := New()
	client := differenceClient(t, c)
	none, err := client.Differences(t.Context(), "")
	require.NoError(t, err)
	require.Empty(t, none)

	kept := contract(t, Settings{Redact: []string{"card.number"}})
	fields := []inspection.Field{{Path: "text", Published: `"a"`, Canary: `"b"`}}
	c.Differ(inspection.Difference{ID: "1", Canary: "v2", Fields: fields}, kept, "t.All", all(t, `{"text":"x","card":{"number":"1"}}`))
	c.Differ(inspection.Difference{ID: "2", Canary: "v3", CanaryCode: "INTERNAL"}, nil, "t.All", all(t, `{"text":"y"}`))

	got, err := client.Differences(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.Equal(t, inspection.Difference{ID: "2", Canary: "v3", CanaryCode: "INTERNAL"}, got[0], "newest first, without a request")
	require.Equal(t, fields, got[1].Fields)
	require.Contains(t, string(got[1].Request.JSON), `"text":"x"`)
	require.Contains(t, string(got[1].Request.JSON), `"number":"[redacted]"`)

	got, err = client.Differences(t.Context(), "v2")
	require.NoError(t, err)
	require.Len(t, got, 1)
}

func TestDifferencesAreBounded(t *testing.T) {
	c, kept := New(), contract(t, Settings{PayloadBytes: MostPayloadBytes})
	client := differenceClient(t, c)
	large := all(t, fmt.Sprintf(`{"text":%q}`, bytes.Repeat([]byte("x"), 500_000)))
	for i := range inspection.MaxDifferences + 10 {
		c.Differ(inspection.Difference{ID: fmt.Sprint(i)}, kept, "t.All", large)
		require.LessOrEqual(t, c.differing, maxDifferenceBytes)
	}
	got, err := client.Differences(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, got, inspection.MaxDifferences)
	require.Equal(t, "73", got[0].ID)
	require.NotEmpty(t, got[0].Request.JSON)
	require.Equal(t, "dropped to make room for newer ones", got[63].Request.Note)
}
