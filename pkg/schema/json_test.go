package schema_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/schema"
)

func TestJSONError(t *testing.T) {
	for _, text := range []string{
		"proto:\u00a0(line 1:2): unknown field", "proto: (line 1:2):\u00a0unknown field", "(line 1:2): unknown field",
	} {
		require.Equal(t, "(line 1:2): unknown field", schema.JSONError(errors.New(text)))
	}
}
