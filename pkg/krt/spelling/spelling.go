// Package spelling finds the name a person probably meant, so that an error
// about an unknown name can offer it.
package spelling

import "strings"

// longest is the length in bytes beyond which no suggestion is looked for: names
// of a manifest or a proto are shorter, and the search costs length squared.
const longest = 128

// Nearest returns the one of known that is most like name, letter case aside, or ""
// when none is within a third of name's length in edits. Among equals the first wins.
func Nearest(name string, known []string) string {
	best, limit := "", max(1, len(name)/3)
	if len(name) > longest {
		return ""
	}
	for _, candidate := range known {
		if len(candidate) > longest || candidate == name {
			continue
		}
		if d := distance(strings.ToLower(name), strings.ToLower(candidate)); d <= limit {
			best, limit = candidate, d-1
		}
	}
	return best
}

// Hint returns `; did you mean "x"?` for the nearest of known, or "".
func Hint(name string, known []string) string {
	if nearest := Nearest(name, known); nearest != "" {
		return `; did you mean "` + nearest + `"?`
	}
	return ""
}

// distance is the number of edits from a to b in bytes: the Levenshtein distance, in
// which two neighbours that are exchanged count as one edit.
func distance(a, b string) int {
	// The last three rows of the table: of the prefix of a before the last, the last, and this one.
	older, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		older, last, row = last, row, older
		row[0] = i + 1
		for j := range len(b) {
			row[j+1] = last[j]
			if a[i] != b[j] {
				row[j+1] = 1 + min(last[j], row[j], last[j+1])
			}
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], older[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
