package pyrunner_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/pyrunner"
)

func TestANodesOwnPackagesMayHaveTheRunnersNames(t *testing.T) {
	n := begin(t, map[string]string{
		"src/model/main.py": prelude + `
import krt, krt_main, context, process, testing
from krt.testing import words
def handler(ctx, data):
    import store
    return StringValue(value=" ".join([krt.NAME, words(), krt_main.NAME, context.NAME, process.NAME, store.NAME, testing.NAME]))
`,
		"src/model/krt/__init__.py": "NAME = 'ours'",
		"src/model/krt/testing.py":  "def words(): return 'own'",
		"src/model/krt_main.py":     "NAME = 'main'",
		"src/model/context.py":      "NAME = 'context'",
		"src/model/process.py":      "NAME = 'process'",
		"src/model/store.py":        "NAME = 'store'",
		"src/model/testing.py":      "NAME = 'testing'",
	}, map[string]string{"KRT_WORKERS": "1"}, pyrunner.Options{})
	n.awaitReady()
	require.Equal(t, "ours own main context process store testing", n.text("x"))
}
