// Package bundles_test runs bundles written as the original platform's users
// wrote them. Nothing in runs/ and broken/*/bundle is of ours: no key, no name,
// no file that its platform did not know.
package bundles_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
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
		name  string
		args  []string
		calls []call
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
		},
	} {
		t.Run(bundle.name, func(t *testing.T) {
			localrun.NeedPython(t)
			dir := filepath.Join("runs", bundle.name)
			before := contents(t, dir)
			v := localrun.Start(t, dir, bundle.args...)
			for _, c := range bundle.calls {
				check(t, v, c)
			}
			require.Zero(t, v.Stop(t), "exit code")
			require.Equal(t, before, contents(t, dir), "a run leaves the bundle as it is")
		})
	}
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
