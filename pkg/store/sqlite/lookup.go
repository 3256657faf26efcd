package sqlite

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/runner/store/query"
	"krt.dev/kn-krt/pkg/store"
)

// wideRange is how many values of a range are more than an index is used for: all of them would
// be read for each page.
const wideRange = 50_000

// lookup is how an index narrows a search: to documents with one of some values, or with a
// value in a range, as an SQL condition on document_values. The zero value does not.
type lookup struct {
	key    int64
	values []any
	where  string
	args   []any
}

// find returns how an index that is ready narrows q. That a value equals narrows more than
// that it is in a range.
func (k *keys) find(in store.Collection, q query.Query) lookup {
	k.mu.RLock()
	defer k.mu.RUnlock()
	var best lookup
	var of key
	for _, one := range k.all[in] {
		if one.state != ready {
			continue
		}
		if values := one.equals(q); values != nil && (best.values == nil || len(values) < len(best.values)) {
			best, of = lookup{key: one.id, values: values}, one
		}
		if where, args := one.between(q); where != "" && best.key == 0 {
			best, of = lookup{key: one.id, where: where, args: args}, one
		}
	}
	if best.key != 0 {
		of.used.Store(time.Now().Unix())
	}
	return best
}

// equals returns the values one of which q requires of the key's field, as few as it says.
func (k key) equals(q query.Query) (values []any) {
	for _, c := range q {
		if strings.Join(c.Path, ".") != k.path {
			continue
		}
		if found, ok := equals(c); ok && !slices.ContainsFunc(found, long) && (values == nil || len(found) < len(values)) {
			values = found
		}
	}
	return values
}

// between returns the range of values in which q requires the key's field to be. It is met by
// all values that may be: numbers are rounded and texts are cut in the index. Of an array, one
// element may meet one bound and another one the other, so one bound is all that it has there.
func (k key) between(q query.Query) (where string, args []any) {
	var conditions []string
	texts := false
	for _, c := range q {
		value, ok := bound(c)
		if !ok || strings.Join(c.Path, ".") != k.path {
			continue
		}
		_, isText := value.(string)
		if len(conditions) > 0 && (k.multi || isText != texts) {
			continue
		}
		texts = isText
		operator := "value >= ?"
		if c.Op == query.Less || c.Op == query.LessOrEqual {
			operator = "value <= ?"
		}
		conditions, args = append(conditions, operator), append(args, value)
	}
	switch {
	case len(conditions) == 0:
		return "", nil
	case texts:
		conditions = append(conditions, "value >= ''")
	default: // SQLite sorts numbers before texts
		conditions = append(conditions, "value < ''")
	}
	return strings.Join(conditions, " AND "), args
}

// bound returns the value, as an index has it, to which a condition compares.
func bound(c query.Condition) (value any, ok bool) {
	switch c.Op {
	case query.Greater, query.GreaterOrEqual, query.Less, query.LessOrEqual:
	default:
		return nil, false
	}
	switch v := c.Value.(type) {
	case json.Number:
		return number(v), true
	case string:
		return beginning(v), true
	}
	return nil, false
}

// indexable reports whether an index would narrow a condition.
func indexable(c query.Condition) bool {
	if len(c.Path) == 0 {
		return false
	}
	_, ranged := bound(c)
	values, ok := equals(c)
	return ranged || ok && !slices.ContainsFunc(values, long)
}

// beginning is a value as an index has it.
func beginning(value any) any {
	if text, ok := value.(string); ok && len(text) > maxKeyBytes {
		return text[:maxKeyBytes]
	}
	return value
}

func long(value any) bool {
	text, ok := value.(string)
	return ok && len(text) > maxKeyBytes
}

// isWide reports whether a range has so many values that the documents are better read in
// their order.
func (s *Store) isWide(ctx context.Context, l lookup) (wide bool, err error) {
	if l.where == "" {
		return false, nil
	}
	args := append([]any{l.key}, l.args...)
	err = s.reader.QueryRowContext(ctx, "SELECT count(*) > ? FROM (SELECT 1 FROM document_values WHERE key = ? AND "+l.where+" LIMIT ?)",
		append(append([]any{wideRange}, args...), wideRange+1)...).Scan(&wide)
	return wide, err
}
