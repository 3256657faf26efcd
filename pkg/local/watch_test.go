package local

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func startWatcher(t *testing.T, root string, output ...*os.File) *watcher {
	t.Helper()
	w := watch(t, root, output...)
	deliver(t, w)
	return w
}

func watch(t *testing.T, root string, output ...*os.File) *watcher {
	t.Helper()
	w, err := newWatcher(root, filepath.Join(root, "state"), func(text string) { t.Errorf("watch: %s", text) }, output...)
	require.NoError(t, err)
	return w
}

// deliver has the changes delivered until the test ends.
func deliver(t *testing.T, w *watcher) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); w.run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
}

// requireChanges receives until all of want has come.
func requireChanges(t *testing.T, w *watcher, want ...string) {
	t.Helper()
	var got []string
	for !containsAll(got, want) {
		got = append(got, <-w.changes...)
	}
}

func containsAll(got, want []string) bool {
	return !slices.ContainsFunc(want, func(path string) bool { return !slices.Contains(got, path) })
}

func TestWatchTellsOfFilesAtAnyDepth(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "src/etl/main.py"), "1")
	w := startWatcher(t, root)
	write(t, filepath.Join(root, "src/etl/main.py"), "2")
	write(t, filepath.Join(root, "krt.yml"), "1")
	requireChanges(t, w, "src/etl/main.py", "krt.yml")
}

func TestWatchFollowsNewFolders(t *testing.T) {
	root := t.TempDir()
	w := startWatcher(t, root)
	write(t, filepath.Join(root, "src/new/lib/help.py"), "1")
	requireChanges(t, w, "src/new/lib/help.py")
	write(t, filepath.Join(root, "src/new/lib/more.py"), "1")
	requireChanges(t, w, "src/new/lib/more.py")
}

func TestWatchWarnsOfALinkThatLeadsElsewhere(t *testing.T) {
	folder, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	for _, version := range []string{"v1", "v2"} {
		write(t, filepath.Join(folder, version, "krt.yml"), version)
	}
	link := filepath.Join(folder, "current")
	require.NoError(t, os.Symlink("v1", link))
	warnings := make(chan string, 10)
	w, err := newWatcher(link, filepath.Join(folder, "state"), func(text string) { warnings <- text })
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); w.run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	write(t, filepath.Join(folder, "beside"), "1")
	write(t, filepath.Join(folder, "v1", "krt.yml"), "2")
	require.Equal(t, []string{"krt.yml"}, <-w.changes, "what is next to the link is not part of the version")
	require.NoError(t, os.Symlink("v2", link+".new"))
	require.NoError(t, os.Rename(link+".new", link))
	require.Equal(t, "some file changes will not be noticed: "+link+" points to "+filepath.Join(folder, "v2")+
		" now: stop this run and start it again to follow it", <-warnings)
}

func TestWatchTellsOfSavesByRename(t *testing.T) {
	root := t.TempDir()
	path := write(t, filepath.Join(root, "main.py"), "1")
	w := startWatcher(t, root)
	require.NoError(t, os.Rename(write(t, path+".tmp", "2"), path))
	requireChanges(t, w, "main.py")
	require.NoError(t, os.Remove(path))
	requireChanges(t, w, "main.py")
}

func TestWatchIgnores(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, ".git/HEAD"), "1")
	w := watch(t, root)
	for _, name := range []string{
		".git/HEAD", ".venv/x.py", "__pycache__/main.cpython-311.pyc", "main.py~", ".main.py.swp", "4913",
		"#main.py#", ".#main.py", "main.py.tmp", "main_test.go", "state/store.db",
	} {
		write(t, filepath.Join(root, name), "1")
	}
	draft := write(t, filepath.Join(root, "sedXyz"), "1") // as sed -i and other editors do
	require.NoError(t, os.Rename(draft, filepath.Join(root, "last")))
	deliver(t, w) // on a busy machine, the draft might be there for long
	require.Equal(t, []string{"last"}, <-w.changes)
}

// kn-krt run > run.log in the version's folder: each reload prints, and so would cause the next.
func TestWatchIgnoresWhatTheRunPrintsTo(t *testing.T) {
	root := t.TempDir()
	log, err := os.Create(filepath.Join(root, "run.log"))
	require.NoError(t, err)
	defer log.Close()
	w := startWatcher(t, root, os.Stdin, log)
	_, err = log.WriteString("ready")
	require.NoError(t, err)
	write(t, filepath.Join(root, "other.log"), "1")
	require.Equal(t, []string{"other.log"}, <-w.changes)
}

func TestWatchFollowsALinkToTheRoot(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "src/etl/main.py"), "1")
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(root, link))
	w := startWatcher(t, link)
	write(t, filepath.Join(root, "src/etl/main.py"), "2")
	requireChanges(t, w, "src/etl/main.py")
}

// As a git checkout to a branch without the folder, and back.
func TestWatchFollowsARootThatIsMadeAgain(t *testing.T) {
	remove := func(t *testing.T, root string) { require.NoError(t, os.RemoveAll(root)) }
	move := func(t *testing.T, root string) { require.NoError(t, os.Rename(root, root+".away")) }
	for name, c := range map[string]struct {
		away, back func(t *testing.T, root string)
		silent     bool // it may be there again before it is missed
	}{
		"deleted, made again": {away: remove},
		"moved away and back": {away: move, back: func(t *testing.T, root string) { require.NoError(t, os.Rename(root+".away", root)) }},
		"replaced at once": {silent: true, away: func(t *testing.T, root string) {
			move(t, root)
			write(t, filepath.Join(root, "krt.yml"), "1")
		}},
		"the folder above it is moved": {
			away: func(t *testing.T, root string) { move(t, filepath.Dir(root)) },
			back: func(t *testing.T, root string) {
				require.NoError(t, os.Rename(filepath.Dir(root)+".away", filepath.Dir(root)))
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := filepath.Join(t.TempDir(), "above", "lab")
			write(t, filepath.Join(root, "src/etl/main.py"), "1")
			warnings := make(chan string, 10)
			w, err := newWatcher(root, filepath.Join(root, "state"), func(text string) { warnings <- text })
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan struct{})
			go func() { defer close(done); w.run(ctx) }()
			t.Cleanup(func() { cancel(); <-done })
			c.away(t, root)
			if !c.silent {
				require.Equal(t, "the folder "+root+" is gone: the previous code keeps running until the folder is there again", <-warnings)
			}
			if c.back != nil {
				c.back(t, root)
			}
			write(t, filepath.Join(root, "src/etl/main.py"), "2")
			requireChanges(t, w, everything)
			write(t, filepath.Join(root, "krt.yml"), "2")
			requireChanges(t, w, "krt.yml")
			write(t, filepath.Join(root, "src/etl/main.py"), "3")
			requireChanges(t, w, "src/etl/main.py")
			cancel()
			<-done
			require.Empty(t, warnings, "it is said once")
		})
	}
}
