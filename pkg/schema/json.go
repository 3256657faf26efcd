package schema

import "strings"

// JSONError is the text of err, an error of protojson, without its prefix "proto:" and
// with usual spaces: protobuf-go varies the space after the prefix on purpose.
func JSONError(err error) string {
	text := strings.ReplaceAll(err.Error(), "\u00a0", " ")
	return strings.TrimLeft(strings.TrimPrefix(text, "proto:"), " ")
}
