package krt_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/krt"
)

// inspecting is a good bundle whose fields are redacted by the given paths.
func inspecting(paths string) map[string]string {
	files := goodBundle()
	files["krt.yml"] = strings.Replace(goodManifest, "  proto: public_input.proto\n",
		"  proto: public_input.proto\n  inspect: {share: 10, payloadBytes: 2Ki, redact: ["+paths+"]}\n", 1)
	files["between.proto"] = `syntax = "proto3"; package between; message Features { repeated double values = 1; }`
	return files
}

func TestInspect(t *testing.T) {
	b, problems := load(t, write(t, inspecting("city, values")))
	require.Empty(t, problems)
	require.Equal(t, &krt.Inspect{Share: 10, PayloadBytes: 2048, Redact: []string{"city", "values"}}, b.Manifest.Entrypoint.Inspect)
	_, err := b.Messages.Registry().FindDescriptorByName("between.Features")
	require.NoError(t, err)
}

func TestAFieldThatNoMessageHas(t *testing.T) {
	_, problems := load(t, write(t, inspecting("city, town")))
	require.Equal(t, []string{`krt.yml:6:58: field "town" is in no message of the bundle's protos; ` +
		`a path is made of the names of fields, such as card.number`}, problems)

	// Nodes that exchange dicts have names that are in no proto.
	files := inspecting("city, town")
	files["src/etl/main.py"] = "async def handler(ctx, data):\n    ctx.set_value('a', 1)\n    return {'town': data['city']}\n"
	files["krt.yml"] = strings.ReplaceAll(files["krt.yml"], "kre-py:1.23.1", "kre-py:1.22.0")
	b, problems := load(t, write(t, files))
	require.NotNil(t, b, problems)
	require.Contains(t, strings.Join(problems, "\n"),
		`krt.yml:6:58: warning: field "town" is in no message of the bundle's protos; it is redacted in dicts`)
}
