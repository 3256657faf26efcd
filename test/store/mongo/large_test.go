package mongo_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/store"
	"krt.dev/kn-krt/test/store/server"
)

// Documents that together have more bytes than one response of the database are listed.
func TestManyLargeDocuments(t *testing.T) {
	b := open(t, server.Mongo(t))
	const n = 900
	text := strings.Repeat("x", 64_000)
	for i := range n {
		require.NoError(t, b.SaveDocument(t.Context(), from("kre"), "large", store.Document{"_id": strconv.Itoa(i), "text": text}))
	}
	found := 0
	for page := (store.Page{Limit: 5000, Bytes: 16 << 20}); ; {
		part, err := b.FindDocuments(t.Context(), store.Collection{Runtime: "kre", Name: "large"}, nil, page)
		require.NoError(t, err)
		require.LessOrEqual(t, len(part.Documents), 16<<20/len(text))
		found += len(part.Documents)
		if page.Cursor = part.Next; page.Cursor == "" {
			break
		}
	}
	require.Equal(t, n, found)
}
