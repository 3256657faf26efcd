package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"krt.dev/kn-krt/test/process"
)

// KServe's router of inference graphs is a module of its own, in the folder routerModule, so that nothing of what it
// needs is the product's. It is built as it comes but for its address, which is a constant.
const (
	routerModule  = "test/bench/peers/router"
	routerPackage = "github.com/kserve/kserve/cmd/router"
	routerFolder  = "built" // where an overlay shows its files, below routerModule
	routerPort    = `":" + strconv.Itoa(constants.RouterPort)`
	routerAddress = `flag.Arg(0)`
)

// router measures an entrypoint with direct delivery over three instant nodes next to KServe's router with the same nodes
// as a graph, a Sequence of which each step gets the response of the one before, and next to a bare program. All get the
// same JSON; the entrypoint makes protobuf of it and back, as its contract says, and is called by gRPC too.
func (b *bench) router(ctx context.Context) (err error) {
	folder, err := os.MkdirTemp("", "peers-router-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	program, err := buildRouter(ctx, folder, b.log)
	if err != nil {
		return err
	}
	c := &chained{log: b.log}
	defer func() { err = errors.Join(err, c.stop()) }()
	urls, entry := c.direct(ctx)
	web, again := c.start(ctx, "http", urls), c.start(ctx, "http", urls)
	ours := c.grpc(entry.addresses[process.GRPC], process.Method(0))
	if c.err != nil {
		return c.err
	}
	theirs := peer{name: "KServe's router", args: []string{program, "--graph-json", graphOf(urls), "127.0.0.1:" + portMark}}
	r, err := theirs.start(ctx, map[string]string{})
	if err != nil {
		return err
	}
	defer r.stop()
	routed := callPayload(r.http, method)
	if err := r.await(ctx, routed); err != nil {
		return err
	}
	return b.measureBoth(ctx, fmt.Sprintf("chain of %d instant nodes, 1 KB of JSON", steps), []subject{
		{name: "kn-krt entrypoint, Direct, JSON in", pid: entry.pid, call: callPayload(entry.addresses[process.Web], process.Method(0))},
		{name: "kn-krt entrypoint, Direct, gRPC in", pid: entry.pid, call: ours},
		{name: "HTTP", pid: web.pid, call: callPayload(web.addresses[0], method)},
		{name: "HTTP again", pid: again.pid, call: callPayload(again.addresses[0], method)},
		{name: "KServe router", pid: r.process.PID(), call: routed},
	})
}

// graphOf is the graph of KServe with a step for each URL.
func graphOf(urls []string) string {
	steps := make([]map[string]string, len(urls))
	for i, url := range urls {
		steps[i] = map[string]string{"name": fmt.Sprintf("step%d", i), "serviceUrl": url, "data": "$response"}
	}
	root := map[string]any{"routerType": "Sequence", "steps": steps}
	text, _ := json.Marshal(map[string]any{"nodes": map[string]any{"root": root}}) // texts alone
	return string(text)
}

// callPayload posts 1 KB of JSON that is a message of the contract of [process.Entrypoint], and wants its data back.
func callPayload(address, path string) call {
	data := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", 768)))
	body := `{"data":"` + data + `"}`
	head := "POST " + path + " HTTP/1.1\r\nHost: " + address + "\r\nContent-Type: application/json\r\nContent-Length: " +
		strconv.Itoa(len(body)) + "\r\n\r\n"
	return callBytes(address, []byte(head+body), []byte(data))
}

// buildRouter builds the router into folder, and returns the program. An overlay shows its files in our module, because the
// go command has none for those of its cache.
func buildRouter(ctx context.Context, folder string, log io.Writer) (program string, err error) {
	fmt.Fprintln(log, "building KServe's router (3 to 15 minutes the first time)")
	dir, err := goCommand(ctx, log, "list", "-f", "{{.Dir}}", routerPackage)
	if err != nil {
		return "", err
	}
	module, err := filepath.Abs(routerModule)
	if err != nil {
		return "", err
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(dir), "*.go"))
	shown := map[string]string{}
	for _, file := range files {
		if name := filepath.Base(file); !strings.HasSuffix(name, "_test.go") {
			shown[filepath.Join(module, routerFolder, name)] = file
		}
	}
	main := filepath.Join(module, routerFolder, "main.go")
	if err == nil {
		shown[main], err = changedMain(shown[main], folder)
	}
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(folder, "overlay.json")
	text, err := json.Marshal(map[string]any{"Replace": shown})
	if err == nil {
		err = os.WriteFile(overlay, text, 0o600)
	}
	if err != nil {
		return "", err
	}
	program = filepath.Join(folder, "router")
	_, err = goCommand(ctx, log, "build", "-trimpath", "-overlay", overlay, "-o", program, "./"+routerFolder)
	return program, err
}

// changedMain writes the router's main file into folder, with the address that it is started with, and returns its name.
func changedMain(source, folder string) (string, error) {
	text, err := os.ReadFile(source)
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(text), routerPort); n != 1 {
		return "", fmt.Errorf("%s has its address %d times: is it another version of the router?", source, n)
	}
	changed := filepath.Join(folder, "main.go")
	return changed, os.WriteFile(changed, []byte(strings.Replace(string(text), routerPort, routerAddress, 1)), 0o600)
}

// goCommand runs the go command in the router's module, and returns what it prints.
func goCommand(ctx context.Context, log io.Writer, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Stderr = routerModule, log
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("go %s in %s: %w", args[0], routerModule, err)
	}
	return string(out), err
}
