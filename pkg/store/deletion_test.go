package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/data"
	"krt.dev/kn-krt/pkg/store"
)

// A deletion, and a count before it, that takes longer than a request may is continued by the
// client.
func TestLongDeletion(t *testing.T) {
	client, raw := serve(t, store.Options{DeleteTime: time.Nanosecond})
	for i := range 300 {
		_, err := client.Save(t.Context(), from(), "c", map[string]any{"even": i%2 == 0, "i": fmt.Sprint(i)})
		require.NoError(t, err)
	}
	owner := &data.Client{Address: "http://store", HTTP: raw}
	selected := data.Deletion{Kind: data.Documents, Collection: "c", Query: map[string]any{"even": true}}
	n, err := owner.Count(t.Context(), selected)
	require.NoError(t, err)
	require.EqualValues(t, 150, n)
	n, err = owner.Delete(t.Context(), selected)
	require.NoError(t, err)
	require.EqualValues(t, 150, n)
	n, err = owner.Count(t.Context(), data.Deletion{Kind: data.Documents, Collection: "c"})
	require.NoError(t, err)
	require.EqualValues(t, 150, n)
}
