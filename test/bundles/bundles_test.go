// Package bundles_test runs bundles written as the original platform's users
// wrote them. Nothing in runs/ and broken/*/bundle is of ours: no key, no name,
// no file that its platform did not know.
package bundles_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"krt.dev/kn-krt/pkg/gobuild"
	"krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/test/localrun"
)

func TestMain(m *testing.M) { localrun.Main(m) }

type call struct {
	rpc, request string
	want         string // JSON, or
	fails        string // the text of an INTERNAL error
}

func TestRuns(t *testing.T) {
	for _, bundle := range []struct {
		name   string
		args   []string
		module string // that a node of it needs from the network
		calls  []call
		// what its nodes have saved in the end: predicted, true value, error
		predictions [][3]string
	}{
		{
			name: "price-estimator",
			args: []string{"--set", "OUTPUT_PRICE_CURRENCY=EUR"},
			calls: []call{
				{rpc: "entrypoint.Entrypoint/MakePrediction",
					request: `{"room_type": "Private room", "neighbourhood": "Manhattan", "bedrooms": 2, "bathrooms": 1, "tv": 1}`,
					want:    `{"success": true, "message": "Predicted market price", "market_price": "181-400 EUR", "category": "high"}`},
				{rpc: "entrypoint.Entrypoint/MakePrediction", request: `{"neighbourhood": "Soho"}`,
					want: `{"message": "Neighbourhood Soho is not known"}`},
				{rpc: "entrypoint.Entrypoint/MakePrediction",
					request: `{"room_type": "Private room", "neighbourhood": "Queens", "bedrooms": 21}`,
					fails:   "error in 'model': too many bedrooms for this model"},
				{rpc: "entrypoint.Entrypoint/SaveMetrics",
					request: `{"predicted_category": "low", "real_category": "mid", "date": 1588749429}`,
					want:    `{"success": true, "message": "Metric saved, 1 of mid"}`},
				{rpc: "entrypoint.Entrypoint/SaveMetrics",
					request: `{"predicted_category": "mid", "real_category": "mid", "date": 1588749429}`,
					want:    `{"success": true, "message": "Metric saved, 2 of mid"}`},
			},
		},
		{
			name: "shared-node",
			calls: []call{
				{rpc: "entrypoint.Entrypoint/Shout", request: `{"text": " one   node "}`, want: `{"text": "ONE NODE!"}`},
				{rpc: "entrypoint.Entrypoint/Whisper", request: `{"text": " One   Node "}`, want: `{"text": "one node..."}`},
				{rpc: "entrypoint.Entrypoint/Whisper", request: `{}`, want: `{"text": "(silence)"}`},
			},
		},
		{
			name: "helper-modules",
			calls: []call{
				{rpc: "entrypoint.Entrypoint/Classify", request: `{"subject": "Hi", "words": ["My", "tap", "LEAK"]}`,
					want: `{"category": "REPAIR", "seen": 3}`},
				{rpc: "entrypoint.Entrypoint/Classify", request: `{"words": ["hello"]}`, want: `{"seen": 1}`},
				// The early reply is the answer: what archive says of it is dropped.
				{rpc: "entrypoint.Entrypoint/Classify", request: `{"words": ["win"], "headers": {"X-Spam": "yes"}}`,
					want: `{"category": "SPAM"}`},
			},
		},
		{
			name: "python-to-go",
			calls: []call{
				{rpc: "entrypoint.Entrypoint/Count", request: `{"text": "to be, or not to be"}`, want: `{"words": 6, "longest": "not"}`},
				{rpc: "entrypoint.Entrypoint/Count", request: `{"text": "..."}`, want: `{"longest": "no words at all"}`},
				{rpc: "entrypoint.Entrypoint/Count", request: `{"text": "` + strings.Repeat("a", 41) + `"}`,
					fails: "error in 'counter': no word has 41 letters"},
			},
			predictions: [][3]string{{"not", "not"}},
		},
		{
			name:   "both-generations",
			module: "github.com/golang/protobuf@v1.5.2",
			calls: []call{
				{rpc: "entrypoint.Entrypoint/Close", request: `{"asset": "A1", "predicted": "repair", "real": "replace", "closed": 1588749429}`,
					want: `{"text": "Closed 1 of A1", "closed": 1}`},
				{rpc: "entrypoint.Entrypoint/Close", request: `{"asset": "A1"}`, want: `{"text": "Nothing was predicted"}`},
				{rpc: "entrypoint.Entrypoint/Close", request: `{"asset": "A1", "predicted": "paint", "real": "paint", "closed": 1588749430}`,
					want: `{"text": "paint is a new label"}`},
				{rpc: "entrypoint.Entrypoint/Close", request: `{"asset": "A2", "predicted": "repair", "real": "repair", "urgent": true, "closed": 1588749431}`,
					want: `{"text": "Somebody is on the way to A2"}`},
			},
			predictions: [][3]string{
				{"repair", "replace"}, {"repair", "replace"}, {"repair"}, // older, newer, newer without truth
				{"paint", "paint"}, {"", "", "new_labels"},
				{"repair", "repair"}, {"repair", "repair"}, {"repair"},
				{"", "", "missing_values"}, // without a date, so of now
			},
		},
	} {
		t.Run(bundle.name, func(t *testing.T) {
			localrun.NeedPython(t)
			needModule(t, bundle.module)
			dir := filepath.Join("runs", bundle.name)
			before := contents(t, dir)
			untilNothingIsLost(t, func() *localrun.Version {
				v := localrun.Start(t, dir, bundle.args...)
				for _, c := range bundle.calls {
					check(t, v, c)
				}
				if len(bundle.predictions) > 0 {
					require.EventuallyWithT(t, func(c *assert.CollectT) {
						if !loses(v) {
							assert.Equal(c, bundle.predictions, predictions(t, v))
						}
					}, time.Minute, 10*time.Millisecond, "what follows an early reply may still go on")
				}
				require.Zero(t, v.Stop(t), "exit code")
				return v
			})
			require.Equal(t, before, contents(t, dir), "a run leaves the bundle as it is")
		})
	}
}

// untilNothingIsLost runs versions by do until one has lost nothing of what its nodes have saved: a measurement or a
// prediction is lost if the store does not respond within 3 s, which a busy machine may exceed.
func untilNothingIsLost(t *testing.T, do func() *localrun.Version) {
	t.Helper()
	const tries = 3
	for try := 1; loses(do()); try++ {
		require.Less(t, try, tries, "something is lost each time")
	}
}

// loses reports whether the version has logged that something is lost.
func loses(v *localrun.Version) bool {
	log := v.Log()
	return slices.ContainsFunc([]string{"measurement lost", "prediction lost", "cannot reach the store"}, func(text string) bool {
		return strings.Contains(log, text)
	})
}

// TestRunsArchive runs a bundle as the one file that users made of it with tar.
func TestRunsArchive(t *testing.T) {
	localrun.NeedPython(t)
	archive := filepath.Join(t.TempDir(), "cases-v1.krt")
	out, err := exec.CommandContext(t.Context(), "tar", "-C", "runs/shared-node", "-czf", archive, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)

	v := localrun.Start(t, archive)
	check(t, v, call{rpc: "entrypoint.Entrypoint/Shout", request: `{"text": "one file"}`, want: `{"text": "ONE FILE!"}`})
	require.Zero(t, v.Stop(t), "exit code")
}

// TestRunsPrebuilt runs a bundle whose Go node comes as a program that was built
// with kn-krt, in the place that users built theirs in with the original.
func TestRunsPrebuilt(t *testing.T) {
	localrun.NeedPython(t)
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("runs/python-to-go")))
	source := filepath.Join(dir, "src", "counter")
	flags, err := gobuild.TestFlags(t.Context(), gobuild.Target{Folder: source}, t.TempDir())
	require.NoError(t, err)
	build := exec.CommandContext(t.Context(), "go", slices.Concat([]string{"build", "-o", filepath.Join(dir, "bin", "counter")}, flags, []string{"."})...)
	build.Dir, build.Env = source, append(os.Environ(), "GOWORK=off")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NoError(t, os.RemoveAll(source))
	manifest, err := os.ReadFile(filepath.Join(dir, "krt.yml"))
	require.NoError(t, err)
	manifest = bytes.Replace(manifest, []byte("src: src/counter/main.go"), []byte("src: bin/counter"), 1)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "krt.yml"), manifest, 0o600))

	printed, code := localrun.Command(t, "validate", dir)
	require.Zero(t, code, printed)
	v := localrun.Start(t, dir)
	check(t, v, call{rpc: "entrypoint.Entrypoint/Count", request: `{"text": "to be"}`, want: `{"words": 2, "longest": "to"}`})
	require.Zero(t, v.Stop(t), "exit code")
}

// needModule skips the test where a module (path@version) cannot be had.
func needModule(t *testing.T, module string) {
	if module == "" {
		return
	}
	download := exec.CommandContext(t.Context(), "go", "mod", "download", module)
	download.Dir = t.TempDir()
	if out, err := download.CombinedOutput(); err != nil {
		t.Skipf("cannot download %s: %s", module, out)
	}
}

// predictions are those of the version's store, by date, as in TestRuns.
func predictions(t *testing.T, v *localrun.Version) [][3]string {
	var stored struct {
		Predictions []store.Prediction `json:"predictions"`
	}
	require.NoError(t, json.Unmarshal([]byte(v.Store(t, store.PathPredictions)), &stored))
	var all [][3]string
	for _, p := range stored.Predictions {
		all = append(all, [3]string{p.PredictedValue, p.TrueValue, p.Error})
	}
	return all
}

// check calls once: some of the nodes count.
func check(t *testing.T, v *localrun.Version, c call) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	method, err := v.Method(ctx, c.rpc)
	require.NoError(t, err)
	answer, err := method.Call(ctx, c.request)
	if c.fails != "" {
		require.Equal(t, codes.Internal, status.Code(err), "%v", err)
		require.Equal(t, c.fails, status.Convert(err).Message())
		return
	}
	require.NoError(t, err, c.request)
	require.JSONEq(t, c.want, strings.ReplaceAll(answer, "marketPrice", "market_price"))
}

// TestBroken checks each bundle that cannot run. want.txt beside it has what
// `validate` must print of it, and `run` too; want-run.txt what only `run` finds
// when the node starts. Each line of them must be part of what is printed.
func TestBroken(t *testing.T) {
	cases, err := filepath.Glob("broken/*/bundle")
	require.NoError(t, err)
	require.NotEmpty(t, cases)
	for _, dir := range cases {
		name := filepath.Base(filepath.Dir(dir))
		found, atStart := wanted(t, dir, "want.txt"), wanted(t, dir, "want-run.txt")
		require.NotEmpty(t, found, "%s: no want.txt", name)

		t.Run(name+"/validate", func(t *testing.T) {
			printed, code := localrun.Command(t, "validate", dir)
			onlyAtStart := len(atStart) > 0
			require.Equal(t, onlyAtStart, code == 0, "exit code %d: %s", code, printed)
			for _, line := range found {
				require.Contains(t, printed, line)
			}
		})
		t.Run(name+"/run", func(t *testing.T) {
			if len(atStart) > 0 {
				localrun.NeedPython(t)
			}
			printed, code := localrun.Command(t, "run", dir, "--grpc-port", "0", "--web-port", "0")
			require.Equal(t, 1, code, printed)
			for _, line := range append(found, atStart...) {
				require.Contains(t, printed, line)
			}
		})
	}
}

// wanted returns the lines of a file beside a bundle; none if there is no file.
func wanted(t *testing.T, bundle, name string) []string {
	text, err := os.ReadFile(filepath.Join(filepath.Dir(bundle), name))
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	return strings.Split(string(bytes.TrimSpace(text)), "\n")
}

// contents maps each file below dir to its text.
func contents(t *testing.T, dir string) map[string]string {
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		files[path] = string(text)
		return err
	}))
	return files
}
