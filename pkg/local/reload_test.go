package local

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReloadOfANodeUnderLoadLosesNothing(t *testing.T) {
	dir := newBundle(t)
	r := startRun(t, dir, Options{})
	old, err := r.call("Hello", "pid")
	require.NoError(t, err)
	disperse := r.crowd(t)
	for i := range 5 {
		greeting := "hello-" + strconv.Itoa(i)
		writeNode(t, dir, "hello", "greets", greeting)
		reloaded := r.await(t, EventReloaded, i+1)
		require.Equal(t, []string{"hello"}, reloaded[i].Nodes, "the other node is left alone")
		r.requireAnswer(t, "Hello", "x", greeting+" x")
	}
	disperse()
	pid, err := strconv.Atoi(old)
	require.NoError(t, err)
	requireGone(t, pid)
	require.Empty(t, r.of(EventReloadFailed))
	require.NoError(t, r.stop())
}

func TestReloadLetsOldRequestsFinish(t *testing.T) {
	dir := newBundle(t)
	r := startRun(t, dir, Options{})
	file := filepath.Join(t.TempDir(), "go-on")
	done := make(chan string, 1)
	go func() {
		answer, _ := r.call("Hello", "wait "+file)
		done <- answer
	}()
	r.until(t, "the request", func() bool { return strings.Contains(r.output(), "waiting") })
	for i := range 2 { // the second reload does not forget the requests of before the first
		writeNode(t, dir, "hello", "greets", "new"+strconv.Itoa(i))
		r.await(t, EventReloaded, i+1)
		r.requireAnswer(t, "Hello", "x", "new"+strconv.Itoa(i)+" x")
	}
	write(t, file, "")
	require.Equal(t, "done", <-done)
}

func TestReloadThatFailsKeepsTheOldUntilItIsMended(t *testing.T) {
	dir := newBundle(t)
	r := startRun(t, dir, Options{})
	writeNode(t, dir, "hello", "fails", "")
	failed := r.await(t, EventReloadFailed, 1)
	require.ErrorContains(t, failed[0].Error, "ImportError: no module named pandas")
	require.Empty(t, failed[0].Nodes, "all run")
	r.requireAnswer(t, "Hello", "x", "hello x")
	writeNode(t, dir, "hello", "greets", "mended")
	r.await(t, EventReloaded, 1)
	r.requireAnswer(t, "Hello", "x", "mended x")
	require.NoError(t, r.stop())
}

func TestReloadOfSeveralNodesReplacesThoseThatStart(t *testing.T) {
	dir := newBundle(t)
	r := startRun(t, dir, Options{})
	writeNode(t, dir, "hello", "fails", "")
	writeNode(t, dir, "world", "greets", "earth")
	r.await(t, EventReloadFailed, 1)
	r.await(t, EventReloaded, 1)
	r.requireAnswer(t, "Both", "x", "earth hello x")
}

func TestReloadOfTheManifest(t *testing.T) {
	dir := newBundle(t)
	r := startRun(t, dir, Options{})
	manifest := filepath.Join(dir, "krt.yml")
	before, err := r.call("Hello", "pid")
	require.NoError(t, err)

	save(t, manifest, strings.Replace(testManifest, "[hello, world]", "[world, hello]", 1))
	r.await(t, EventReloaded, 1)
	r.requireAnswer(t, "Both", "x", "hello world x")
	r.requireAnswer(t, "Hello", "pid", before)

	save(t, manifest, strings.Replace(testManifest, "[hello, world]", "[hello, word]", 1))
	r.await(t, EventReloadFailed, 1)
	r.requireAnswer(t, "Both", "x", "hello world x")

	save(t, manifest, strings.Replace(testManifest, "test-v1", "test-v2", 1))
	reloaded := r.await(t, EventReloaded, 2)
	require.Equal(t, []string{"hello", "world"}, reloaded[1].Nodes, "their environment is another")
	r.requireAnswer(t, "Both", "variable KRT_VERSION", "world test-v2")
	require.NoError(t, r.stop())
}

func TestReloadOfTheManifestIsTriedAgainWithTheNextSave(t *testing.T) {
	dir := newBundle(t)
	r := startRun(t, dir, Options{})
	writeNode(t, dir, "third", "fails", "")
	save(t, filepath.Join(dir, "krt.yml"), strings.NewReplacer(
		"workflows:\n", "  - {name: third, image: konstellation/kre-go:1.9.0, src: bin/third}\nworkflows:\n",
		"[hello, world]", "[hello, third]",
	).Replace(testManifest))
	r.await(t, EventReloadFailed, 1)
	writeNode(t, dir, "third", "greets", "third")
	r.await(t, EventReloaded, 1)
	r.requireAnswer(t, "Both", "x", "third hello x")
}

func TestReloadOfTheProto(t *testing.T) {
	dir := newBundle(t)
	r := startRun(t, dir, Options{})
	proto := filepath.Join(dir, "public.proto")
	save(t, proto, strings.Replace(testProto, "service", "servic", 1))
	failed := r.await(t, EventReloadFailed, 1)
	require.ErrorContains(t, failed[0].Error, "public.proto:4:1: syntax error")
	r.requireAnswer(t, "Hello", "x", "hello x")

	save(t, proto, strings.Replace(testProto, "package test", "package other", 1))
	r.await(t, EventReloaded, 1)
	_, err := r.call("Hello", "x")
	require.ErrorContains(t, err, "Unimplemented")
}

func TestReloadOfAFolderThatWasGone(t *testing.T) {
	dir := newBundle(t)
	r := startRun(t, dir, Options{})
	require.NoError(t, os.Rename(dir, dir+".away"))
	gone := r.await(t, EventWarning, 1)
	require.Contains(t, gone[0].Text, "is gone: the previous code keeps running")
	r.requireAnswer(t, "Hello", "x", "hello x")
	require.Empty(t, r.of(EventReloading))
	require.NoError(t, os.CopyFS(dir, os.DirFS(dir+".away")))
	r.await(t, EventReloaded, 1)
	require.Equal(t, "the whole folder", r.of(EventReloading)[0].Text)
	writeNode(t, dir, "hello", "greets", "again")
	r.until(t, "the changed node", func() bool { answer, _ := r.call("Hello", "x"); return answer == "again x" })
	require.NoError(t, r.stop())
}

func TestNoReload(t *testing.T) {
	dir := newBundle(t)
	r := startRun(t, dir, Options{NoReload: true})
	w := startWatcher(t, dir)
	writeNode(t, dir, "hello", "greets", "changed")
	requireChanges(t, w, "bin/hello") // the run would know it, too
	require.NoError(t, r.stop())
	require.Empty(t, r.of(EventReloading))
}

func TestNodeThatKeepsExitingFailsTheRunUntilItIsMended(t *testing.T) {
	for name, mended := range map[string]bool{"never": false, "mended": true} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("FLAG", filepath.Join(t.TempDir(), "flag"))
			dir := newBundle(t)
			writeNode(t, dir, "hello", "runs-once", "hello")
			policy := fast()
			r := startRun(t, dir, Options{restart: &policy})
			killNode(t, r)
			r.await(t, EventNodeExited, 2+refusedAfter)
			_, err := r.call("Hello", "x")
			require.ErrorContains(t, err, `node "hello" cannot be reached: dial node: it keeps exiting (exit status 7), and it is `)
			writeNode(t, dir, "hello", "fails", "")
			require.Equal(t, []string{"hello"}, r.await(t, EventReloadFailed, 1)[0].Nodes, "no code of it runs")
			if !mended {
				require.EqualError(t, r.stop(), `node "hello" kept exiting`)
				return
			}
			writeNode(t, dir, "hello", "greets", "mended")
			r.await(t, EventReloaded, 1)
			r.requireAnswer(t, "Hello", "x", "mended x")
			require.NoError(t, r.stop())
		})
	}
}

// awaitUp waits until the last that has been said of a node is that it is ready.
func (r *testRun) awaitUp(t *testing.T, node string) {
	t.Helper()
	r.until(t, node, func() (up bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, e := range r.events {
			if e.Node == node && (e.Type == EventNodeReady || e.Type == EventNodeExited) {
				up = e.Type == EventNodeReady
			}
		}
		return up
	})
}

// Each request is sent several times, and ends the node as often. The next one comes when it is there: starts that
// are ended before it has been seen ready are failures of its own.
func TestRequestsThatEndANodeLeaveItToOthers(t *testing.T) {
	policy := fast()
	r := startRun(t, newBundle(t), Options{restart: &policy})
	for range 3 {
		_, err := r.call("Hello", "exit")
		require.ErrorContains(t, err, "Unavailable")
		require.NotContains(t, err.Error(), "keeps exiting", "it may wait")
		r.awaitUp(t, "hello")
	}
	require.Greater(t, len(r.of(EventNodeExited)), 6)
	r.requireAnswer(t, "Hello", "x", "hello x")
	require.NoError(t, r.stop())
}
