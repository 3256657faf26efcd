package store

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/letter"
)

// Where is the selection as a condition in SQL, for a backend whose table of letters has the columns
// runtime, kind, version, workflow, letter, and time and expires in nanoseconds since 1970.
// placeholder writes that of the value with a number, from 1.
func (of LetterSelection) Where(placeholder func(int) string) (condition string, args []any) {
	conditions := []string{"TRUE"}
	add := func(condition string, value any) {
		args = append(args, value)
		conditions = append(conditions, condition+" "+placeholder(len(args)))
	}
	for _, one := range []struct{ column, value string }{
		{"runtime", of.Runtime}, {"kind", string(of.Kind)}, {"version", of.Version}, {"workflow", of.Workflow}, {"letter", of.ID},
	} {
		if one.value != "" {
			add(one.column+" =", one.value)
		}
	}
	if !of.Before.IsZero() {
		add("time <", of.Before.UnixNano())
	}
	if of.Expired.IsZero() {
		add("expires >", time.Now().UnixNano())
	} else {
		add("expires <=", of.Expired.UnixNano())
	}
	return strings.Join(conditions, " AND "), args
}

// LetterRows are rows of a table of letters, newest first: time, id and the letter as JSON but for
// its data.
type LetterRows interface {
	Next() bool
	Scan(to ...any) error
	Err() error
}

// ReadLetters reads the letters of a page. It may leave rows unread.
func ReadLetters(rows LetterRows, page Page) (found Listed[letter.Letter], err error) {
	size, last := 0, ""
	for rows.Next() {
		var at, id int64
		var meta string
		if err := rows.Scan(&at, &id, &meta); err != nil {
			return found, err
		}
		if size += len(meta); len(found.Items) == page.Limit || len(found.Items) > 0 && size > page.Bytes {
			found.Next = last
			return found, nil
		}
		var l letter.Letter
		if err := json.Unmarshal([]byte(meta), &l); err != nil {
			return found, err
		}
		found.Items, last = append(found.Items, l), LetterCursor(at, strconv.FormatInt(id, 10))
	}
	return found, rows.Err()
}
