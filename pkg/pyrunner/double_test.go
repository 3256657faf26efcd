package pyrunner_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/pyrunner"
)

// TestQueriesOfTheDoubleFindWhatTheStoreFinds holds the store of krt.testing to
// the cases that the store itself is held to.
func TestQueriesOfTheDoubleFindWhatTheStoreFinds(t *testing.T) {
	python, err := findPython()
	if err != nil {
		t.Skipf("no Python to run nodes with: %v", err)
	}
	dir := t.TempDir()
	require.NoError(t, pyrunner.WriteShim(dir))
	cases, err := filepath.Abs(filepath.Join("..", "runner", "store", "storetest", "queries.json"))
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), python, "-c", `
import json, sys
from krt.testing import Context
wrong, cases = [], json.load(open(sys.argv[1]))
for case in cases:
    ctx = Context()
    for document in case.get("found", []) + case.get("others", []):
        ctx.db.save("c", document)
    try:
        if case["query"]:
            found = ctx.db.find("c", case["query"])
        else:
            found = ctx._node.store.post("/v1/collections/c/find", {"query": {}})["documents"]
        same = [{k: d[k] for k in w} for d, w in zip(found, case["found"])] == case["found"]
        if "error" in case or not same or len(found) != len(case["found"]):
            wrong.append((case, found))
        assert all("_id" in document for document in found)
        assert ctx.documents.get("c", []) == case["found"] + case["others"]
    except Exception as error:
        if case.get("error", "?") not in str(error):
            wrong.append((case, error))
for case, got in wrong:
    print(json.dumps(case), "gave", got)
print(len(cases) - len(wrong), "of", len(cases), "right")
sys.exit(bool(wrong))
`, cases)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+dir)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}
