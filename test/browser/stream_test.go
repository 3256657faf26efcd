package browser

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	streamManifest = `version: spelling-v1
description: A version that streams, for tests of the dashboard.
entrypoint: {proto: public.proto}
nodes:
  - {name: model, image: konstellation/kre-go:1.9.0, src: bin/model}
workflows:
  - {name: spell, entrypoint: Spell, sequential: [model]}
`
	streamProto = `syntax = "proto3";
package scene;
import "google/protobuf/wrappers.proto";
service Entrypoint { rpc Spell(google.protobuf.StringValue) returns (stream google.protobuf.StringValue); }
`
)

// spelling runs a version whose node sends the words of a request, and holds after the first one.
func spelling(t *testing.T) (dir string, v *version) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "spelling")
	save(t, dir, "krt.yml", streamManifest)
	save(t, dir, "public.proto", streamProto)
	saveNode(t, dir, "model")
	flagNode(t, dir, "model", "hold", true)
	v = run(t, dir)
	v.await("ready")
	return dir, v
}

func TestTryStreams(t *testing.T) {
	dir, v := spelling(t)
	p := newPage(t, desktop)
	p.open(v.of("spelling-v1", "try"))
	p.fill("[id='f:']", "spell one <two> three")
	p.press("button", "Send")
	p.awaitText("#try-live", "1 message so far")
	require.Contains(t, p.text("#try-live"), `"one"`)
	require.NotContains(t, p.text("#try"), "two>\"")
	flagNode(t, dir, "model", "hold", false)
	p.awaitText("#try-result", "3 messages in")
	require.Contains(t, p.text("#try-result"), `"<two>"`)
	require.Contains(t, p.text("#try-result"), "OK")
	require.Equal(t, "try-result-title", eval[string](p, "document.activeElement.id"), "a screen reader reads the response next")
	require.Empty(t, p.text("#try-live"))

	flagNode(t, dir, "model", "hold", true)
	p.press("button", "Send")
	p.awaitText("#try-live", "1 message so far")
	p.press("button", "Stop")
	p.awaitText("#try-status", "Stopped.")
	require.Contains(t, p.text("#try-live"), `"one"`, "what has come stays")
	require.False(t, p.has("button", "Stop"))
}

func TestTryStreamsWithoutScripts(t *testing.T) {
	dir, v := spelling(t)
	flagNode(t, dir, "model", "hold", false)
	p := newPage(t, desktop)
	p.scripts(false)
	p.open(v.of("spelling-v1", "try"))
	p.fill("[id='f:']", "spell one two")
	p.press("button", "Send")
	p.awaitText("#try-result", "2 messages in")
	require.Contains(t, p.text("#try-result"), `"two"`)
}

// A page reads server-sent events as they come. It is of the version's own origin.
func TestEventsInABrowser(t *testing.T) {
	dir, v := spelling(t)
	p := newPage(t, desktop)
	p.open(v.of("spelling-v1", ""))
	eval[bool](p, `(async () => {
		window.got = '';
		const response = await fetch('/scene.Entrypoint/Spell', {
			method: 'POST', body: '"spell one two"', headers: { Accept: 'text/event-stream', 'Content-Type': 'application/json' },
		});
		window.kind = response.headers.get('Content-Type');
		const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
		for (let part = await reader.read(); !part.done; part = await reader.read()) window.got += part.value;
		window.ended = true;
	})() instanceof Promise`)
	p.await("window.got.includes('one')")
	require.False(t, eval[bool](p, "window.got.includes('two') || window.ended === true"))
	flagNode(t, dir, "model", "hold", false)
	p.await("window.ended")
	require.Equal(t, "text/event-stream", eval[string](p, "window.kind"))
	got := strings.ReplaceAll(eval[string](p, "window.got"), ": ping\n\n", "")
	require.Equal(t, "id: 1\ndata: \"one\"\n\nid: 2\ndata: \"two\"\n\nevent: end\ndata: {\"messages\":2}\n\n", got)
}
