package local

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/pyrunner"
)

// namespace is the KRT_RUNTIME_ID of a local run (KRT V1: the runtime's id).
const namespace = "local"

// environ returns what a node inherits: all of our own environment, for user
// code needs PATH, HOME, a virtual environment, proxies, CUDA's variables and
// what else a developer has set; but nothing that says where another program
// listens, or that belongs to a node above us. KRT_PYTHON, KRT_WORKERS,
// KRT_QUEUE, KRT_FORK and KRT_LOG_LEVEL are the developer's settings for runners.
func environ() []string {
	return slices.DeleteFunc(os.Environ(), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		switch name {
		case "KRT_PYTHON", "KRT_WORKERS", "KRT_QUEUE", "KRT_FORK", "KRT_LOG_LEVEL":
			return false
		case "PORT":
			return true
		}
		return strings.HasPrefix(name, "KRT_")
	})
}

// place is what all nodes of a run have in common.
type place struct {
	values   values
	files    map[string]string // path of each config file
	replyURL string
	storeURL string
	python   string // "" when no node needs it
	unused   string // which virtual environments are not used, and why, a line each
	maxBytes string // "" for the runner's default
}

// gather sets the config values for m, with config files in folder.
func (p *place) gather(c Config, m *krt.Manifest, folder string) error {
	v, err := c.gather(m.Config.Variables, m.Config.Files, os.LookupEnv)
	if err != nil {
		return err
	}
	if err := v.checkFiles(m.Nodes); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("cannot write config files: %w", err)
	}
	files, err := v.writeFiles(folder)
	if err != nil {
		return err
	}
	p.values, p.files = v, files
	return nil
}

// findPython sets the interpreter for all Python nodes, if b has any: looking
// for it starts processes, and what lacks should be said once.
func (p *place) findPython(b *krt.Bundle, r Reporter) (err error) {
	isPython := func(n krt.Node) bool { return b.Kind(n) == krt.KindPython }
	if p.python != "" || !slices.ContainsFunc(b.Manifest.Nodes, isPython) {
		return nil
	}
	if p.python, err = pyrunner.FindPython(os.Getenv); err != nil {
		return err
	}
	notes := pyrunner.PassedOver(os.Getenv, b.Dir, p.python)
	for _, note := range notes {
		r.Event(Event{Type: EventWarning, Text: note})
	}
	p.unused = strings.Join(notes, "\n")
	return nil
}

// fileVariables returns what the variables of the config files hold for n: those with the
// files' own names, and those with _PATH behind them.
func (p place) fileVariables(n krt.Node) (own, byPath map[string]string) {
	if !n.FileContent() {
		return p.files, nil
	}
	own, byPath = map[string]string{}, map[string]string{}
	for name, path := range p.files {
		own[name], byPath[name+krt.FilePathSuffix] = string(p.values.files[name]), path
	}
	return own, byPath
}

// variables returns the environment of node n (KRT V1, "Environment of a
// node"), without the port. The last of two with one name wins: the contract's
// before the config's before the manifest's before what is inherited.
func (p place) variables(b *krt.Bundle, n krt.Node) []string {
	env := environ()
	add := func(name, value string) { env = append(env, name+"="+value) }
	own, byPath := p.fileVariables(n)
	for _, name := range sortedKeys(byPath) {
		add(name, byPath[name])
	}
	for _, name := range sortedKeys(n.Env) {
		add(name, n.Env[name])
	}
	for _, name := range sortedKeys(p.values.variables) {
		add(name, p.values.variables[name])
	}
	for _, name := range sortedKeys(own) {
		add(name, own[name])
	}
	version := b.Manifest.Version
	add("KRT_VERSION", version)
	add("KRT_VERSION_ID", version)
	add("KRT_RUNTIME_ID", namespace)
	add("KRT_NODE_NAME", n.Name)
	add("KRT_NODE_ID", version+"-"+n.Name)
	workflow := krt.OnlyWorkflow(b.Manifest.Workflows, func(w krt.Workflow) krt.Workflow { return w }, n.Name)
	add("KRT_WORKFLOW_NAME", workflow)
	add("KRT_WORKFLOW_ID", krt.WorkflowID(version, workflow))
	add("KRT_BASE_PATH", b.Dir)
	add("KRT_HANDLER_PATH", n.Src)
	add("KRT_REPLY_URL", p.replyURL)
	add("KRT_STORE", p.storeURL)
	add("KRT_LOG", "plain")
	if n.Timeout > 0 {
		add("KRT_TIMEOUT", n.Timeout.String())
	}
	if t := b.Manifest.Entrypoint.BackgroundTimeout; t > 0 {
		add("KRT_BACKGROUND_TIMEOUT", t.String())
	}
	if n.Workers != nil {
		add("KRT_WORKERS", strconv.Itoa(*n.Workers))
	}
	if n.Fork {
		add("KRT_FORK", "true")
	}
	if n.GPU {
		add("KRT_GPU", "true")
	}
	if p.python != "" {
		add("KRT_PYTHON", p.python)
	}
	if p.maxBytes != "" {
		add("KRT_MAX_MESSAGE_BYTES", p.maxBytes)
	}
	return env
}
