package store_test

import (
	"context"
	"fmt"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/store"
)

// Large documents, all of which are listed.
const large, largeBytes = 10_000, 64_000

// BenchmarkList is the memory that it takes to list large documents page by page, each of the
// bytes that a response may have.
func BenchmarkList(b *testing.B) {
	each(b, func(p *pair) {
		p.bare.(lists).fillLarge(p.B)
		list := func() (n int) {
			for page := (store.Page{Limit: 5000, Bytes: 16 << 20}); ; {
				in := store.Collection{Runtime: store.LocalRuntime, Name: "large"}
				found, err := p.backends.Documents.FindDocuments(context.Background(), in, nil, page)
				require.NoError(p, err)
				n += len(found.Documents)
				if page.Cursor = found.Next; page.Cursor == "" {
					return n
				}
			}
		}
		debug.FreeOSMemory()
		begin, n := time.Now(), 0
		own, ofServer := peak(p.B, p.server, func() { n = list() })
		require.Equal(p, large, n)
		p.ReportMetric(float64(own>>20), "MiB")
		text := fmt.Sprintf("%s, %s", short(time.Since(begin)), megabytes(own))
		if p.server != nil {
			text += ", and " + megabytes(ofServer) + " in the database"
		}
		found.add(fmt.Sprintf("list of %d documents of %d kB by pages of 16 MiB: time and peak memory", large, largeBytes/1000),
			p.database, text, "", "", "–", "for information", "")
	})
}

// lists is a bare client that can make the large documents of the store.
type lists interface{ fillLarge(b *testing.B) }

func (c *bareServer) fillLarge(b *testing.B) {
	b.Helper()
	c.exec(b, fmt.Sprintf(`INSERT INTO krt_documents (runtime, coll, doc, version, node, workflow)
SELECT '%s', 'large', jsonb_build_object('_id', n::text, 'text', repeat('x', %d)), '', '', '' FROM generate_series(1, %d) n`,
		store.LocalRuntime, largeBytes, large))
}

func (f *bareFile) fillLarge(b *testing.B) {
	b.Helper()
	(&bareFile{DB: file(b, f.store)}).exec(b, series(large)+fmt.Sprintf(`
INSERT INTO documents (runtime, coll, doc, saved, version, node, workflow)
SELECT '%s', 'large', json_object('_id', n, 'text', printf('%%.%dc', 'x')), '2026-01-01T00:00:00.000000000Z', '', '', '' FROM series`,
		store.LocalRuntime, largeBytes))
}
