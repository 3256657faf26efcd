package local

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/krt/configvalue"
	"krt.dev/kn-krt/pkg/pyrunner"
	"krt.dev/kn-krt/pkg/runner/environment"
)

// Namespace is the KRT_RUNTIME_ID of a local run (KRT V1: the runtime's id).
const Namespace = "local"

// environ returns what a node inherits: all of our own environment, because its code
// needs PATH, HOME, a virtual environment, proxies, CUDA's variables and whatever
// else a developer has set. It leaves out what another program listens on, and what
// belongs to a node above us.
func environ() []string {
	return slices.DeleteFunc(os.Environ(), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		if v, found := environment.Find(name); found {
			return !v.Inherited
		}
		return strings.HasPrefix(name, environment.Prefix)
	})
}

// place is what all nodes of a run have in common.
type place struct {
	values   configvalue.Values
	files    map[string]string // path of each config file
	replyURL string
	storeURL string
	python   string // "" when no node needs it
	unused   string // the virtual environments that are not used, with the reason, a line each
	maxBytes int    // 0 for the runner's default
}

// gather sets the config values for m, with config files in folder.
func (p *place) gather(s configvalue.Source, m *krt.Manifest, folder string) error {
	v, err := s.Gather(m.Config.Variables, m.Config.Files, os.LookupEnv)
	if err != nil {
		return err
	}
	if err := checkFiles(m.Nodes, v.Files); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("cannot write config files: %w", err)
	}
	files, err := writeFiles(folder, v.Files)
	if err != nil {
		return err
	}
	p.values, p.files = v, files
	return nil
}

// findPython sets the interpreter for all Python nodes, if b has any, once: the search
// starts processes, and what is missing should be reported once.
func (p *place) findPython(b *krt.Bundle, r Reporter) (err error) {
	isPython := func(n krt.Node) bool { return b.Kind(n) == krt.KindPython }
	if p.python != "" || !slices.ContainsFunc(b.Manifest.Nodes, isPython) {
		return nil
	}
	found, err := pyrunner.FindPython(os.Getenv)
	if err != nil {
		return err
	}
	if p.python, err = filepath.Abs(found); err != nil { // processes start in the bundle's folder
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
		own[name], byPath[name+krt.FilePathSuffix] = string(p.values.Files[name]), path
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
	for _, name := range sortedKeys(p.values.Variables) {
		add(name, p.values.Variables[name])
	}
	for _, name := range sortedKeys(own) {
		add(name, own[name])
	}
	p.contract(b, n).Each(add)
	return env
}

// contract is what the platform sets for node n.
func (p place) contract(b *krt.Bundle, n krt.Node) environment.Values {
	version := b.Manifest.Version
	workflow := krt.OnlyWorkflow(b.Manifest.Workflows, func(w krt.Workflow) krt.Workflow { return w }, n.Name)
	v := environment.Values{
		Version: version, Runtime: Namespace,
		Node: n.Name, NodeID: version + "-" + n.Name,
		Workflow: workflow, WorkflowID: krt.WorkflowID(version, workflow),
		BasePath: b.Dir, HandlerPath: n.Src,
		ReplyURL: p.replyURL, Store: p.storeURL, Log: "json",
		Timeout: n.Timeout, BackgroundTimeout: b.Manifest.Entrypoint.BackgroundTimeout,
		MaxMessageBytes: p.maxBytes,
		Fork:            n.Fork, GPU: n.GPU, Python: p.python,
	}
	if n.Workers != nil {
		v.Workers = *n.Workers
	}
	return v
}
