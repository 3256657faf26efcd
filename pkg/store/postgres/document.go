package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/runner/store/query"
	"krt.dev/kn-krt/pkg/store"
)

// SaveDocument keeps a document. It is tried again while the database is away; one that was
// committed without a response is recognised.
func (s *Store) SaveDocument(ctx context.Context, from store.Origin, coll string, document store.Document) error {
	doc, err := encode(document)
	if err != nil {
		return err
	}
	r := row{from.Runtime, coll, doc, from.Version, from.Node, from.Workflow}
	committed := false // maybe, without a response
	if len(doc) <= maxGrouped {
		err := s.groups.save(ctx, r)
		if err == nil || errors.Is(err, store.ErrExists) || ctx.Err() != nil {
			return s.failure(err)
		}
		// It is saved alone, so that it does not fail because another one does.
		committed = !refused(err)
	}
	return s.retry(ctx, func(again bool) error { return s.saveAlone(ctx, r, committed || again) })
}

func (s *Store) saveAlone(ctx context.Context, r row, again bool) error {
	_, err := s.pool.Exec(ctx, "INSERT INTO krt_documents (runtime, coll, doc, version, node, workflow) VALUES ($1, $2, $3, $4, $5, $6)",
		r.runtime, r.coll, r.doc, r.version, r.node, r.workflow)
	var state *pgconn.PgError
	if !errors.As(err, &state) || state.Code != stateUnique {
		return err
	}
	if again {
		var there bool
		err := s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM krt_documents
WHERE runtime = $1 AND coll = $2 AND doc -> '_id' = $3::jsonb -> '_id' AND doc = $3::jsonb)`, r.runtime, r.coll, r.doc).Scan(&there)
		if err != nil || there {
			return err
		}
	}
	return store.ErrExists
}

// saveGroup saves documents, all or none.
func (s *Store) saveGroup(ctx context.Context, group []*saving) error {
	if len(group) == 1 {
		return s.saveAlone(ctx, group[0].row, false)
	}
	columns := make([][]string, 6)
	for _, r := range group {
		for i, value := range []string{r.runtime, r.coll, r.doc, r.version, r.node, r.workflow} {
			columns[i] = append(columns[i], value)
		}
	}
	_, err := s.pool.Exec(ctx, `INSERT INTO krt_documents (runtime, coll, doc, version, node, workflow)
SELECT runtime, coll, doc::jsonb, version, node, workflow
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) AS r (runtime, coll, doc, version, node, workflow)`,
		columns[0], columns[1], columns[2], columns[3], columns[4], columns[5])
	return err
}

// find is a query for documents of a collection.
type find struct {
	query query.Query
	where string
	args  []any
	exact bool      // what meets where meets the query
	ids   bool      // what meets where is not read, but for its id
	after int64     // the id behind which it begins
	limit int       // of the rows read; zero is none
	until time.Time // when it ends, unless zero
}

func compile(in store.Collection, q query.Query) find {
	c := &compiler{}
	where := fmt.Sprintf("runtime = %s AND coll = %s AND ", c.arg(in.Runtime), c.arg(in.Name))
	met := c.query(q, "doc")
	where += met.sql + c.ranges(q)
	return find{query: q, where: where, args: c.args, exact: met.exact}
}

// statement selects what is searched for, in the order of ids.
func (f *find) statement() (statement string, args []any) {
	order, column := "id", "doc::text"
	if usesIndex(f.query) {
		order = "id + 0" // else the planner may read all of the collection in the order of id
	}
	if f.ids && f.exact {
		column = "''"
	}
	args = append(f.args[:len(f.args):len(f.args)], f.after)
	statement = fmt.Sprintf("SELECT id, %s FROM krt_documents WHERE %s AND id > $%d ORDER BY %s", column, f.where, len(args), order)
	if f.limit > 0 {
		statement += " LIMIT " + strconv.Itoa(f.limit)
	}
	return statement, args
}

// read returns the row's document, until the next row is read, and whether it meets the query.
func (f *find) read(ctx context.Context, of *store.Decoding, rows pgx.Rows) (id int64, document []byte, meets bool, err error) {
	err = rows.Scan(&id, nil)
	document = rows.RawValues()[1]
	if err != nil || f.exact {
		return id, document, true, err
	}
	meets, err = of.Meets(ctx, f.query, document)
	return id, document, meets, err
}

// FindDocuments returns a page of the documents of a collection that meet q.
func (s *Store) FindDocuments(ctx context.Context, in store.Collection, q query.Query, page store.Page) (found wire.Found, err error) {
	f := compile(in, q)
	f.until = page.Until
	if f.after, err = store.IDOf(page.Cursor); err != nil {
		return found, err
	}
	if f.exact {
		f.limit = page.Limit + 1
	}
	err = s.retry(ctx, func(bool) error {
		size, texts := 0, texts{}
		found = wire.Found{Documents: []json.RawMessage{}}
		next, err := s.scan(ctx, f, func(_ int64, document []byte) bool {
			size += len(document)
			if len(found.Documents) == page.Limit || len(found.Documents) > 0 && size > page.Bytes {
				return false
			}
			found.Documents = append(found.Documents, texts.compact(document))
			return true
		})
		found.Next = store.CursorBehind(next)
		var state *pgconn.PgError
		if errors.As(err, &state) && state.Code == stateTooLarge {
			return store.Refuse("PostgreSQL cannot search the documents: %s", state.Message)
		}
		return err
	})
	return found, err
}

// scan calls take for each document that is found, in the order of their ids, until it
// returns false. Next is where to go on: 0 at the end.
func (s *Store) scan(ctx context.Context, f find, take func(id int64, document []byte) bool) (next int64, err error) {
	// Rows that are left unread close the connection, which is cheaper than to read them.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	statement, args := f.statement()
	// Statements that are not prepared are planned for their values, which decide about the index.
	planned := pgx.QueryExecModeCacheDescribe
	rows, err := s.pool.Query(ctx, statement, append([]any{planned}, args...)...)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	last := f.after
	for n := 1; rows.Next(); n++ {
		id, document, meets, err := f.read(ctx, s.decoded, rows)
		if err != nil {
			return 0, err
		}
		if meets && !take(id, document) {
			if n != f.limit {
				cancel()
			}
			return last, nil
		}
		last = id
		if n%64 == 0 && !f.until.IsZero() && time.Now().After(f.until) {
			cancel()
			return last, nil
		}
	}
	return 0, rows.Err()
}

// exec runs a statement that may be repeated, and returns how many rows it has changed.
func (s *Store) exec(ctx context.Context, statement string, args ...any) (changed int64, err error) {
	err = s.retry(ctx, func(bool) error {
		tag, err := s.pool.Exec(ctx, statement, args...)
		changed = tag.RowsAffected()
		return err
	})
	return changed, err
}

// Collections lists the collections of a runtime, or of all.
func (s *Store) Collections(ctx context.Context, runtime string) (found []store.CollectionSize, err error) {
	rows, err := s.pool.Query(ctx, `
SELECT runtime, coll, count(*) FROM krt_documents WHERE $1 = '' OR runtime = $1
GROUP BY runtime, coll ORDER BY runtime COLLATE "C", coll COLLATE "C"`, runtime)
	if err != nil {
		return nil, s.failure(err)
	}
	found, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (c store.CollectionSize, err error) {
		return c, row.Scan(&c.Runtime, &c.Name, &c.Documents)
	})
	return found, s.failure(err)
}
