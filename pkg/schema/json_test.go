package schema_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/apipb"

	"krt.dev/kn-krt/pkg/schema"
)

func TestJSONError(t *testing.T) {
	for _, text := range []string{
		"proto:\u00a0(line 1:2): unknown field", "proto: (line 1:2):\u00a0unknown field", "(line 1:2): unknown field",
	} {
		require.Equal(t, "(line 1:2): unknown field", schema.JSONError([]byte("{}"), errors.New(text)))
	}
}

func TestJSONErrorsNameAPlace(t *testing.T) {
	const object = "and a message with fields is an object, {…}"
	for text, want := range map[string]string{
		`  `:                              "it has only white space; a message without fields is {}",
		`{"name":"\ud800"}`:               `(line 1:10): \ud800 is half of a character; the other half must follow`,
		`{"name":"\ud83d\ude00\ud83d x"}`: `(line 1:22): \ud83d is half of a character; the other half must follow`,
		"{\"name\":\n \"é\\udc00\"}":      `(line 2:4): \udc00 is half of a character; the other half must follow`,
		`{"name":"x"`:                     "(line 1:12): the JSON ends here before it is complete",
		"{\n\"name\":":                    "(line 2:8): the JSON ends here before it is complete",
		`{"name":"x`:                      "(line 1:11): the JSON ends here before it is complete",
		`{"name":"\u12`:                   "(line 1:14): the JSON ends here before it is complete",
		`{"nam":1}`:                       `(line 1:2): unknown field "nam"`,
		"\n [1]":                          "syntax error (line 2:2): unexpected token [: it is a list, " + object,
		`"x"`:                             `syntax error (line 1:1): unexpected token "x": it is a string, ` + object,
		`1.5`:                             `syntax error (line 1:1): unexpected token 1.5: it is a number, ` + object,
		`true`:                            `syntax error (line 1:1): unexpected token true: it is true or false, ` + object,
		`null`:                            `syntax error (line 1:1): unexpected token null: it is null, ` + object,
	} {
		err := protojson.Unmarshal([]byte(text), &apipb.Api{})
		require.Error(t, err, text)
		assert.Equal(t, want, schema.JSONError([]byte(text), err), text)
	}
	require.NoError(t, protojson.Unmarshal([]byte(`{"name":"\\ud800 \ud83d\ude00"}`), &apipb.Api{}))
}
