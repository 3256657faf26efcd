package pyrunner_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/pyrunner"
	"krt.dev/kn-krt/pkg/runner/store/storetest"
)

// doubleFinds saves documents in the store of krt.testing and prints what a query finds of them, for each line.
const doubleFinds = `
import json, sys
from krt.testing import Context
for line in sys.stdin:
    case = json.loads(line)
    ctx, documents, query = Context(), case["documents"], case["query"]
    for document in documents:
        ctx.db.save("c", document)
    assert ctx.documents.get("c", []) == documents
    try:
        found = {"found": ctx.db.find("c", query)}
    except Exception as error:
        found = {"error": str(error)}
    print(json.dumps(found), flush=True)
`

// TestQueriesOfTheDoubleFindWhatTheStoreFinds holds the store of krt.testing to
// the cases that the store itself is held to.
func TestQueriesOfTheDoubleFindWhatTheStoreFinds(t *testing.T) {
	python, err := findPython()
	if err != nil {
		t.Skipf("no Python to run nodes with: %v", err)
	}
	dir := t.TempDir()
	require.NoError(t, pyrunner.WriteShim(dir))
	cmd := exec.CommandContext(t.Context(), python, "-c", doubleFinds)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	cases, results := json.NewEncoder(in), json.NewDecoder(out)
	storetest.Queries(t, func(t *testing.T, documents []json.RawMessage, query json.RawMessage) ([]json.RawMessage, error) {
		if documents == nil {
			documents = []json.RawMessage{}
		}
		require.NoError(t, cases.Encode(map[string]any{"documents": documents, "query": query}))
		var result struct {
			Found []json.RawMessage
			Error string
		}
		require.NoError(t, results.Decode(&result))
		if result.Error != "" {
			return nil, errors.New(result.Error)
		}
		return result.Found, nil
	})
	require.NoError(t, in.Close())
	require.NoError(t, cmd.Wait())
}

// TestDocumentsThatTheStoreRefuses: the double refuses them too.
func TestDocumentsThatTheStoreRefuses(t *testing.T) {
	python, err := findPython()
	if err != nil {
		t.Skipf("no Python to run nodes with: %v", err)
	}
	dir := t.TempDir()
	require.NoError(t, pyrunner.WriteShim(dir))
	for document, want := range storetest.Refused() {
		cmd := exec.CommandContext(t.Context(), python, "-c",
			`import json, sys; from krt.testing import Context; Context().db.save("c", json.loads(sys.argv[1]))`, document)
		cmd.Env = append(os.Environ(), "PYTHONPATH="+dir)
		text, err := cmd.CombinedOutput()
		require.Error(t, err, document)
		require.Contains(t, string(text), "the store refused this: "+want, document)
	}
}
