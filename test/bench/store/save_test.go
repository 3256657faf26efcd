package store_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/runner/store/query"
	"krt.dev/kn-krt/pkg/store"
)

// BenchmarkSave is the median time of a save while 16 clients save.
func BenchmarkSave(b *testing.B) {
	eachOfDocuments(b, func(p *pair) {
		next := 0
		side := func(save func(context.Context, store.Document) error) func() time.Duration {
			return func() time.Duration {
				next += p.saves
				return p.saved(next, save)
			}
		}
		kept := side(func(ctx context.Context, d store.Document) error {
			_, err := p.client.Save(ctx, wire.Origin{}, coll, d)
			return err
		})
		bare := side(p.bare.insert)
		p.compare("save of a document, 16 clients, median", 1.5, kept, bare)
		what := "its processor time, of clients, store and database"
		found.add(what, p.database, p.worked(kept), p.worked(bare), "", "–", "for information", "")
	})
}

// worked is the processor time of each save of a side: of this process, and of the server.
func (p *pair) worked(side func() time.Duration) string {
	p.Helper()
	own, ofServer := cpu(p.B, p.server)
	side()
	ownAfter, ofServerAfter := cpu(p.B, p.server)
	text := fmt.Sprintf("%d", (ownAfter-own).Microseconds()/int64(p.saves))
	if p.server != nil {
		text += fmt.Sprintf(" + %d", (ofServerAfter-ofServer).Microseconds()/int64(p.saves))
	}
	return text + " µs"
}

// saved is the median time of a save.
func (p *pair) saved(first int, save func(context.Context, store.Document) error) time.Duration {
	p.Helper()
	times := make([]time.Duration, p.saves)
	var wait sync.WaitGroup
	for client := range clients {
		wait.Go(func() {
			for i := client; i < p.saves; i += clients {
				d, begin := document(first+i, hosts(p.documents)), time.Now()
				require.NoError(p, save(context.Background(), d))
				times[i] = time.Since(begin)
			}
		})
	}
	wait.Wait()
	return median(times)
}

// BenchmarkFind is the time in which a node has the 1,000 documents of all that have a value of
// an indexed field, decoded.
func BenchmarkFind(b *testing.B) {
	eachOfDocuments(b, func(p *pair) {
		p.bare.fillDocuments(p.B, p.documents)
		q, err := query.Parse(map[string]any{"host": "host-1"})
		require.NoError(p, err)
		in := store.Collection{Runtime: store.LocalRuntime, Name: coll}
		page := store.Page{Limit: 10 * wanted, Bytes: 1 << 30}
		for indexed := false; !indexed; { // SQLite: finds make the index
			begin := time.Now()
			_, err := p.backends.Documents.FindDocuments(context.Background(), in, q, page)
			require.NoError(p, err)
			indexed = time.Since(begin) < max(time.Duration(p.documents)*time.Microsecond, 100*time.Millisecond)
		}
		var inside []time.Duration
		p.compare(fmt.Sprintf("find of 1,000 of %d documents by an indexed field", p.documents), 1.3, func() time.Duration {
			return repeated(p.finds, func() {
				begin := time.Now()
				found, err := p.backends.Documents.FindDocuments(context.Background(), in, q, page)
				inside = append(inside, time.Since(begin))
				require.NoError(p, err)
				require.Len(p, found.Documents, wanted)
			}, func() {
				var found []map[string]any
				require.NoError(p, p.client.Find(context.Background(), wire.Origin{}, coll, map[string]any{"host": "host-1"}, &found))
				require.Len(p, found, wanted)
			})
		}, func() time.Duration {
			return repeated(p.finds, func() {}, func() { require.Len(p, p.bare.find(p.B, "host-1"), wanted) })
		})
		p.ReportMetric(float64(median(inside).Microseconds()), "backend-µs")
	})
}

// repeated is the median time of what is done, each time after what is not measured.
func repeated(n int, before, do func()) time.Duration {
	times := make([]time.Duration, n)
	for i := range times {
		before()
		begin := time.Now()
		do()
		times[i] = time.Since(begin)
	}
	return median(times)
}
