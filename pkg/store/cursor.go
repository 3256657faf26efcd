package store

import "strconv"

// CursorBehind is the cursor of a backend whose rows are in the order of their ids: behind the one
// with an id. Zero is the end, which has none.
func CursorBehind(id int64) string {
	if id == 0 {
		return ""
	}
	return strconv.FormatInt(id, 10)
}

// IDOf is the id in a cursor of [CursorBehind].
func IDOf(cursor string) (id int64, err error) {
	if cursor == "" {
		return 0, nil
	}
	if id, err = strconv.ParseInt(cursor, 10, 64); err != nil || id < 0 {
		return 0, BadCursor()
	}
	return id, nil
}
