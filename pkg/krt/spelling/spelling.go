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

// distance is the Levenshtein distance of a and b in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
