package sqlite

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/store"
)

// script reads every table and view of a file, and deletes a prediction, for which a trigger runs.
const script = `
import sqlite3, sys
print("SQLite", sqlite3.sqlite_version, file=sys.stderr)
db = sqlite3.connect(sys.argv[1])
names = [name for name, in db.execute("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')")]
for name in names:
    db.execute("SELECT * FROM " + name).fetchall()
found = db.execute("SELECT predicted_value FROM predictions").fetchall()
db.execute("DELETE FROM predictions")
db.commit()
left = db.execute("SELECT count(*) FROM prediction_counts").fetchone()
print("predictions" in names, found, left, db.execute("PRAGMA integrity_check").fetchall())
`

// TestOtherProgramsReadTheFile reads a new file, and one from before its triggers could be
// read, by Python's sqlite3: in Debian 12 it is 3.40, years older than that of this program.
func TestOtherProgramsReadTheFile(t *testing.T) {
	python := os.Getenv("KRT_PYTHON")
	if python == "" {
		python = "python3"
	}
	python, err := exec.LookPath(python)
	if err != nil {
		t.Skip("no Python here: apt-get install python3, or set KRT_PYTHON")
	}
	for name, version := range map[string]int{"new": 0, "older": 5, "unmirrored": 8} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "store.db")
			older(t, path, version)
			s := openTest(t, path, Options{})
			require.NoError(t, s.SavePredictions(t.Context(), []store.Prediction{{
				Runtime: store.LocalRuntime, Prediction: wire.Prediction{PredictedValue: "1.5", TrueValue: "2", Date: time.Unix(1, 0).UTC()},
			}}))
			require.NoError(t, s.Close())
			cmd := exec.CommandContext(t.Context(), python, "-c", script, path)
			cmd.Stderr = t.Output()
			out, err := cmd.Output()
			require.NoError(t, err)
			require.Equal(t, "True [('1.5',)] (0,) [('ok',)]\n", string(out))
		})
	}
}

// older makes a file of an older schema.
func older(t *testing.T, path string, version int) {
	t.Helper()
	db, err := connect(path, 1)
	require.NoError(t, err)
	for _, step := range migrations()[:version] {
		_, err := db.ExecContext(t.Context(), step)
		require.NoError(t, err)
	}
	_, err = db.ExecContext(t.Context(), fmt.Sprintf("PRAGMA user_version = %d", version))
	require.NoError(t, err)
	require.NoError(t, db.Close())
}

// TestCountsBeforeTheMark: what was counted before predictions had a mark is counted as without one.
func TestCountsBeforeTheMark(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	older(t, path, 8)
	db, err := connect(path, 1)
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), `
INSERT INTO predictions (runtime, date, predicted_value, true_value, extra, error, version, node, workflow)
VALUES ('local', '2024-05-06T05:08:09.000000000Z', 'cat', 'cat', '{}', '', 'v1', '', '')`)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	s := openTest(t, path, Options{})
	for of, want := range map[store.Mirrored]int{store.MirroredToo: 1, store.MirroredNot: 1, store.MirroredOnly: 0} {
		counts, err := s.CountPredictions(t.Context(), store.Selection{Runtime: store.LocalRuntime, Mirrored: of}, 0)
		require.NoError(t, err)
		require.Len(t, counts, want)
	}
	_, err = s.DeletePredictions(t.Context(), store.Selection{Runtime: store.LocalRuntime}, store.Part{})
	require.NoError(t, err)
	counts, err := s.CountPredictions(t.Context(), store.Selection{Runtime: store.LocalRuntime}, 0)
	require.NoError(t, err)
	require.Empty(t, counts)
}
