package krt_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// An annotation that cannot be served is told with its file and rpc, and keeps
// nothing from running.
func TestAnnotationsThatAreNotServedAreWarnedOf(t *testing.T) {
	files := goodBundle()
	options := `{ option (google.api.http) = { post: "/v1/do" body: "*" }; }`
	text := strings.Replace(publicProto, ";\n", ";\nimport \"google/api/annotations.proto\";\n", 1)
	lines := strings.Split(text, "\n")
	annotated := 0
	for i, line := range lines {
		if strings.Contains(line, "rpc ") && strings.HasSuffix(line, ";") && annotated < 2 {
			lines[i] = strings.TrimSuffix(line, ";") + " " + options
			annotated++
		}
	}
	require.Equal(t, 2, annotated, "two rpcs on one path")
	files["public_input.proto"] = strings.Join(lines, "\n")
	b, problems := load(t, write(t, files))
	require.NotNil(t, b)
	require.Len(t, problems, 1)
	require.Regexp(t, `^public_input\.proto(:\d+:\d+)?: warning: rpc "\w+": its annotation google\.api\.http is ignored: target for `+
		`/v1/do, method POST already exists`, problems[0])
}
