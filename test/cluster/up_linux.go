package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// up brings the cluster to where the tests want it, doing only what is missing.
func up(ctx context.Context, p place, s *steps) error {
	start := time.Now()
	unlock, err := lock(p)
	if err != nil {
		return err
	}
	defer unlock()
	key, err := prepare(ctx, p, s)
	if err != nil {
		return err
	}
	pid, running := initPID(p)
	if built, err := os.ReadFile(filepath.Join(p.State, "key")); running && (err != nil || string(built) != key) {
		fmt.Fprintln(s.out, "  the running cluster was built with other tools: building a new one")
		running = false
	}
	if ready, err := os.ReadFile(filepath.Join(p.State, "ready")); running && err == nil {
		fmt.Fprintf(s.out, "The cluster is up already (process %d, %s).\n", pid, ready)
		return joinNodes(ctx, p)
	}
	if !running {
		if err := s.do("start the components", func() error { return startInit(ctx, p, key) }); err != nil {
			return err
		}
	}
	if err := installInside(ctx, p); err != nil {
		return err
	}
	if err := joinNodes(ctx, p); err != nil {
		return err
	}
	text := fmt.Sprintf("made in %.0f s", time.Since(start).Seconds())
	fmt.Fprintf(s.out, "The cluster is up, %s.\n", text)
	return os.WriteFile(filepath.Join(p.State, "ready"), []byte(text), 0o644)
}

// prepare gets all that comes from elsewhere; see buildAll.
func prepare(ctx context.Context, p place, s *steps) (key string, err error) {
	if err := s.packages(ctx); err != nil {
		return "", err
	}
	if err := fetchModules(ctx, p, s); err != nil {
		return "", err
	}
	return buildAll(ctx, p, s)
}

// buildAll makes the tools and returns a key that changes when any of them does.
func buildAll(ctx context.Context, p place, s *steps) (string, error) {
	var key []string
	for _, t := range clusterTools() {
		dir, err := t.build(ctx, p, s)
		if err != nil {
			return "", err
		}
		key = append(key, dir)
	}
	set, err := knativeSet(ctx, p)
	if err != nil {
		return "", err
	}
	if !set.cached(p) {
		// ko builds inside, where there is no network: what it needs is made before.
		if err := s.do("build Knative (4 minutes the first time)", func() error { return warmKnative(ctx, p) }); err != nil {
			return "", err
		}
	}
	return strings.Join(append(key, set.file), "\n"), nil
}

// lock keeps two ups and downs apart. The file stays; the lock ends with the process.
func lock(p place) (func(), error) {
	file, err := os.OpenFile(p.State+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another up or down of the cluster is running: %w", err), file.Close())
	}
	return func() { _ = file.Close() }, nil
}

// makeVolume makes the folder of the store's disk, in which a pod of any user may write.
func makeVolume(p place) error {
	if err := os.MkdirAll(p.volume(), 0o755); err != nil {
		return err
	}
	return os.Chmod(p.volume(), 0o777)
}

// startInit creates the state folder again and starts the cluster's first process.
func startInit(ctx context.Context, p place, key string) error {
	if err := remove(ctx, p); err != nil {
		return fmt.Errorf("cannot remove the rest of an earlier cluster: %w", err)
	}
	for _, dir := range []string{p.State, p.bin(""), filepath.Dir(p.log("x")), p.Data, blobDir(p)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	for _, f := range []func() error{
		func() error { return makePKI(p.pki("")) },
		func() error { return makeVolume(p) },
		func() error { return writeConf(p) },
		func() error { return linkTools(ctx, p) },
		func() error { return pruneBlobs(p) },
		func() error { return os.WriteFile(filepath.Join(p.State, "key"), []byte(key), 0o644) },
	} {
		if err := f(); err != nil {
			return err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	log, err := os.Create(p.log("init"))
	if err != nil {
		return err
	}
	defer log.Close()
	init := exec.Command(self, "init") //nolint:noctx // it outlives this process
	init.Dir, init.Env, init.Stdout, init.Stderr = p.Source, p.environment(), log, log
	init.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWIPC,
	}
	if err := startDetached(init); err != nil {
		return fmt.Errorf("cannot create the cluster's namespaces: %w", err)
	}
	go func() { _ = init.Wait() }() // no zombie while this process lives
	return writePID(p, init.Process.Pid)
}

// linkTools puts every program, under its name, into one folder.
func linkTools(ctx context.Context, p place) error {
	for _, t := range clusterTools() {
		dir, err := t.dir(ctx, p)
		if err != nil {
			return err
		}
		programs, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, program := range programs {
			if err := os.Symlink(filepath.Join(dir, program.Name()), p.bin(program.Name())); err != nil {
				return err
			}
		}
	}
	return os.Symlink("kube", p.bin("kubectl"))
}

// installInside runs the rest of up within the cluster's namespaces.
func installInside(ctx context.Context, p place) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	err = enter(ctx, p, []string{self, "install"})
	if failed, readErr := os.ReadFile(filepath.Join(p.State, failedFile)); err != nil && readErr == nil {
		return fmt.Errorf("cannot bring up the cluster: %s", failed)
	}
	if err != nil {
		return errors.New("the cluster is left as it is; inspect it with `go run ./test/cluster logs`, `... exec -- kubectl get pods -A`")
	}
	return nil
}
