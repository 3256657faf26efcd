package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// workRounds are the rounds of testdata/work.py that take about 5 ms.
const workRounds = 350

// files are the version of ours, and the peers. The folder's name keeps go from building it.
//
//go:embed testdata
var files embed.FS

// pythonPeer is a peer that needs Python's packages.
type pythonPeer struct {
	peer
	modules []string
	install string // Debian's packages
}

// written is the folder in which files are.
func written() (folder string, err error) {
	if folder, err = os.MkdirTemp("", "krt-peers-"); err != nil {
		return "", err
	}
	tree, err := fs.Sub(files, "testdata")
	if err == nil {
		err = os.CopyFS(folder, tree)
	}
	if err == nil { // it is part of the version too: a bundle holds all that its nodes import
		var text []byte
		text, err = fs.ReadFile(tree, "work.py")
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, "version", "work.py"), text, 0o600)
		}
	}
	return folder, err
}

// candidates are the peers with files in folder. The first is ours; the second and the third
// are the same, which shows how far apart two processes of one kind are.
func (b *bench) candidates(folder string) []pythonPeer {
	file := func(name string) string { return filepath.Join(folder, name) }
	fastapi := []string{b.python, file("fastapi_echo.py"), portMark, workMark}
	none := []string{"KRT_PYTHON=" + b.python}
	return []pythonPeer{
		{peer: peer{name: "kn-krt", env: none, args: []string{
			b.program, "run", file("version"), "--quiet", "--no-reload", "--web-port", portMark, "--grpc-port", grpcMark, "--reply-port", "0",
			"--state-dir", file("state"), "--set", "WORK=" + workMark,
		}}, modules: []string{"google.protobuf"}, install: "python3-protobuf"},
		{peer: peer{name: "FastAPI", args: fastapi}, modules: []string{"fastapi", "uvicorn"}, install: "python3-fastapi python3-uvicorn"},
		{peer: peer{name: "FastAPI again", args: fastapi}, modules: []string{"fastapi", "uvicorn"}, install: "python3-fastapi python3-uvicorn"},
		{peer: peer{name: "Flask", env: []string{"PYTHONPATH=" + folder}, args: []string{
			b.python, "-m", "gunicorn", "--bind", "127.0.0.1:" + portMark, "--workers", "1", "--threads", "1", "--keep-alive", "60",
			"--worker-class", "gthread", "--env", "WORK=" + workMark, "--chdir", folder, "--log-level", "warning", "flask_echo:app",
		}}, modules: []string{"flask", "gunicorn"}, install: "python3-flask gunicorn"},
		{peer: peer{name: "grpcio asyncio", args: []string{b.python, file("grpc_echo.py"), grpcMark, workMark}},
			modules: []string{"grpc", "google.protobuf"}, install: "python3-grpcio"},
	}
}

// missing returns which of modules the interpreter cannot import.
func (b *bench) missing(ctx context.Context, modules []string) error {
	text, err := exec.CommandContext(ctx, b.python, "-c", "import "+strings.Join(modules, ", ")).CombinedOutput()
	if err == nil {
		return nil
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return errors.New(lines[len(lines)-1])
}

// served measures a Python node of ours next to its peers.
func (b *bench) served(ctx context.Context, what string, rounds int) error {
	folder, err := written()
	defer os.RemoveAll(folder)
	if err != nil {
		return err
	}
	subjects, stop, err := startAll(ctx, b.present(ctx, folder, what, rounds), map[string]string{workMark: strconv.Itoa(rounds)})
	defer stop()
	if err != nil {
		return err
	}
	return b.measureBoth(ctx, what+", one Python process", subjects)
}

// present returns the peers whose packages are there, and notes the others.
func (b *bench) present(ctx context.Context, folder, what string, rounds int) (peers []peer) {
	for _, p := range b.candidates(folder) {
		if rounds > 0 {
			p.modules = append(p.modules, "numpy")
			p.install += " python3-numpy"
		}
		if err := b.missing(ctx, p.modules); err != nil {
			b.note("%s: %s is left out: %v (Debian: apt-get install %s)", what, p.name, err, p.install)
			continue
		}
		peers = append(peers, p.peer)
	}
	for _, p := range b.extra {
		if !p.has(nodesMark) && (rounds == 0 || p.has(workMark)) {
			peers = append(peers, p)
		}
	}
	return peers
}

// startAll starts peers and returns the ways to call them, and what stops them.
func startAll(ctx context.Context, peers []peer, values map[string]string) (subjects []subject, stop func(), err error) {
	var all []*running
	stop = func() {
		for _, r := range all {
			r.stop()
		}
	}
	for _, p := range peers {
		r, err := p.start(ctx, maps.Clone(values))
		if err == nil {
			all = append(all, r)
			var own []subject
			own, err = p.subjects(ctx, r)
			subjects = append(subjects, own...)
		}
		if err != nil {
			return nil, stop, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return subjects, stop, nil
}

// subjects are the ways in which p, which runs, can be called.
func (p *peer) subjects(ctx context.Context, r *running) (list []subject, err error) {
	if r.http != "" {
		list = append(list, subject{name: p.name + ", JSON", pid: r.process.PID(), call: callJSON(r.http)})
	}
	if r.grpc != "" {
		c, err := callGRPC(r.grpc, textMessage())
		if err != nil {
			return nil, err
		}
		list = append(list, subject{name: p.name + ", gRPC", pid: r.process.PID(), call: c})
	}
	for _, s := range list {
		if err := r.await(ctx, s.call); err != nil {
			return nil, err
		}
	}
	return list, nil
}
