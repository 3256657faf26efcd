package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"krt.dev/kn-krt/pkg/letter"
	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/store"
	"krt.dev/kn-krt/pkg/store/sqlite"
	"krt.dev/kn-krt/test/process"
)

func TestMain(m *testing.M) {
	process.Child(map[string]process.Role{"store": serveFile})
	os.Exit(m.Run())
}

// serveFile serves the store in a file, as a process that can be killed.
func serveFile(ctx context.Context, settings json.RawMessage, _ *http.ServeMux) ([]string, error) {
	var path string
	if err := json.Unmarshal(settings, &path); err != nil {
		return nil, err
	}
	log := slog.New(slog.DiscardHandler)
	db, err := sqlite.Open(path, sqlite.Options{Logger: log})
	if err != nil {
		return nil, err
	}
	listener, err := process.Listen(ctx)
	if err != nil {
		return nil, err
	}
	go func() { _ = store.New(store.All(db), store.Options{Logger: log}).Serve(ctx, listener) }()
	return []string{listener.Addr().String()}, nil
}

func start(t *testing.T, path string) (*process.Process, *wire.Client) {
	t.Helper()
	p, err := process.Start(t.Context(), "store", path, os.Stderr)
	require.NoError(t, err)
	client, err := wire.New("http://" + p.Addresses[0])
	require.NoError(t, err)
	return p, client
}

// TestKilled kills the store at random while 16 clients save 10,000 documents: all that
// was acknowledged is there afterwards, once.
func TestKilled(t *testing.T) {
	const documents, clients, kills = 10_000, 16, 8
	path := filepath.Join(t.TempDir(), "store.db")
	acknowledged := map[string]bool{}
	var next, unanswered atomic.Int64
	for life := range kills + 1 {
		p, client := start(t, path)
		// This store lives for a part of the documents that are left; the last one for all.
		part := documents - int64(len(acknowledged))
		if life < kills {
			part = 1 + rand.Int64N(2*part/int64(kills+1-life))
		}
		var saved atomic.Int64
		var mu sync.Mutex
		var all sync.WaitGroup
		for range clients {
			all.Go(func() {
				for saved.Load() < part {
					id := fmt.Sprintf("%024x", next.Add(1))
					if _, err := client.Save(t.Context(), from(), "c", map[string]any{"_id": id, "x": strings.Repeat("x", 500)}); err != nil {
						unanswered.Add(1)
						return // killed
					}
					mu.Lock()
					acknowledged[id] = true
					mu.Unlock()
					if saved.Add(1) == part && life < kills {
						p.Kill() // the others are in the middle of a request
					}
				}
			})
		}
		all.Wait()
		if life == kills {
			require.NoError(t, p.Stop())
		}
	}
	s, err := sqlite.Open(path, sqlite.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	var found []struct {
		ID string `json:"_id"`
	}
	require.NoError(t, serve(t, s).Find(t.Context(), from(), "c", nil, &found))
	seen := map[string]bool{}
	for _, document := range found {
		require.False(t, seen[document.ID], "found twice")
		seen[document.ID] = true
	}
	lost := 0
	for id := range acknowledged {
		if !seen[id] {
			lost++
		}
	}
	t.Logf("sent %d, acknowledged %d, found %d, without a response %d, lost %d; killed %d times", next.Load(), len(acknowledged),
		len(seen), unanswered.Load(), lost, kills)
	require.Zero(t, lost)
	require.GreaterOrEqual(t, len(acknowledged), documents)
}

// TestKilledWithLetters: what was acknowledged of letters outlives the store, too.
func TestKilledWithLetters(t *testing.T) {
	const clients, kills, each = 4, 3, 200
	path := filepath.Join(t.TempDir(), "store.db")
	acknowledged := map[string]bool{}
	var next atomic.Int64
	for life := range kills {
		p, client := start(t, path)
		var mu sync.Mutex
		var all sync.WaitGroup
		for range clients {
			all.Go(func() {
				for {
					id := letter.DeadID(fmt.Sprintf("%x", next.Add(1)), 1)
					l := letter.Letter{Kind: letter.Dead, ID: id, Version: "v1", Workflow: "flow", Data: []byte(strings.Repeat("x", 500))}
					if letter.New(client).Put(t.Context(), l) != nil {
						return // killed
					}
					mu.Lock()
					acknowledged[id] = true
					if len(acknowledged) == (life+1)*each {
						p.Kill() // the others are in the middle of a request
					}
					mu.Unlock()
				}
			})
		}
		all.Wait()
	}
	p, client := start(t, path)
	defer func() { require.NoError(t, p.Stop()) }()
	found, of := map[string]bool{}, letter.Selection{Version: "v1"}
	for {
		page, err := letter.New(client).List(t.Context(), letter.Dead, of)
		require.NoError(t, err)
		for _, l := range page.Letters {
			found[l.ID] = true
		}
		if of.Before = page.Next; of.Before == "" {
			break
		}
	}
	lost := 0
	for id := range acknowledged {
		if !found[id] {
			lost++
		}
	}
	t.Logf("sent %d, acknowledged %d, found %d, lost %d; killed %d times", next.Load(), len(acknowledged), len(found), lost, kills)
	require.Zero(t, lost)
	require.GreaterOrEqual(t, len(acknowledged), kills*each)
}

// TestFileCannotGrow: a save that finds no room fails and says so, what was acknowledged
// stays, and saves succeed once there is room.
func TestFileCannotGrow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	p, client := start(t, path)
	defer func() { require.NoError(t, p.Stop()) }()
	limit := func(bytes uint64) {
		require.NoError(t, unix.Prlimit(p.PID(), unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}, nil))
	}
	limit(1 << 20)
	saved := 0
	save := func() error {
		_, err := client.Save(t.Context(), from(), "c", map[string]any{"x": strings.Repeat("x", 10_000)})
		if err == nil {
			saved++
		}
		return err
	}
	var err error
	for range 1000 {
		if err = save(); err != nil {
			break
		}
	}
	require.ErrorContains(t, err, "the store's file cannot be written: its disk is full, or fails")
	require.Positive(t, saved)
	count := func() int {
		var found []json.RawMessage
		require.NoError(t, client.Find(t.Context(), from(), "c", nil, &found))
		return len(found)
	}
	require.Equal(t, saved, count())
	limit(unix.RLIM_INFINITY)
	require.NoError(t, save())
	require.Equal(t, saved, count())
}

// TestFullDisk does the same on a disk of 2 MiB, and then on one that is read-only. The
// disks need a user namespace with mounts.
func TestFullDisk(t *testing.T) {
	if os.Getenv("KRT_TEST_DISK") == "" {
		dir := t.TempDir()
		script := `mount -t tmpfs -o size=2m tmpfs "$KRT_TEST_DISK" && exec "$@"`
		for _, command := range []string{"true", ""} {
			args := []string{"-rm", "sh", "-c", script, "sh", "true"}
			if command == "" {
				args = append(args[:5], os.Args[0], "-test.run=^TestFullDisk$", "-test.v")
			}
			cmd := exec.CommandContext(t.Context(), "unshare", args...)
			cmd.Env = append(os.Environ(), "KRT_TEST_DISK="+dir)
			out, err := cmd.CombinedOutput()
			if command == "true" && err != nil {
				t.Skipf("no disk of its own: %v: %s", err, out)
			}
			require.NoError(t, err, string(out))
		}
		return
	}
	path := filepath.Join(os.Getenv("KRT_TEST_DISK"), "store.db")
	s, err := sqlite.Open(path, sqlite.Options{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	save := func(i int) error {
		return s.SaveDocument(t.Context(), store.Origin{Runtime: "r"}, "c",
			store.Document{wire.KeyID: fmt.Sprint(i), "x": strings.Repeat("x", 10_000)})
	}
	saved := 0
	for ; err == nil && saved < 1000; saved++ {
		err = save(saved)
	}
	require.ErrorContains(t, err, "the disk of the store is full")
	var problem *store.Problem
	require.True(t, errors.As(err, &problem))
	require.Equal(t, http.StatusInsufficientStorage, problem.Status)
	found, err := s.FindDocuments(t.Context(), store.Collection{Runtime: "r", Name: "c"}, nil, store.Page{Limit: 1000, Bytes: 1 << 30})
	require.NoError(t, err)
	require.Len(t, found.Documents, saved-1)
	require.NoError(t, s.Close())
	require.NoError(t, unix.Mount("", os.Getenv("KRT_TEST_DISK"), "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	_, err = sqlite.Open(path, sqlite.Options{})
	require.ErrorContains(t, err, "read-only file system")
}
