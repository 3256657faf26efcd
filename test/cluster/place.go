package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Addresses inside the cluster's own network namespaces. They are nobody
// else's: nothing of them shows on the host.
const (
	nodeName    = "node1" // the first: the control plane, DNS and the ingress are on it
	nodeIP      = "10.250.0.1"
	serviceCIDR = "10.96.0.0/16"
	apiServerIP = "10.96.0.1"
	dnsIP       = "10.96.0.10"
	podCIDR     = "10.244.0.0/16"
	registry    = "localhost:5000"
	domain      = "krt.test" // Knative Services answer at NAME.NAMESPACE.krt.test
	apiServer   = "https://" + nodeIP + ":6443"
)

// place has the cluster's folders.
type place struct {
	Source  string // this folder, with the tools' modules
	Knative string // the folder of the module with Knative's programs, below Source
	Cache   string // built tools and images, kept
	State   string // sockets, keys, logs, process ids: gone with the cluster
	Data    string // what is too big for a /run in memory: gone with the cluster
	Main    string // the first node's State
	Node    int    // which node's State and Data these are, from 1
}

func newPlace() (place, error) {
	source, err := findSource()
	if err != nil {
		return place{}, err
	}
	release, err := knativeModule(source, os.Getenv("KRT_KNATIVE"))
	if err != nil {
		return place{}, err
	}
	cache, err := os.UserCacheDir() // XDG_CACHE_HOME, else ~/.cache
	if err != nil {
		return place{}, fmt.Errorf("cannot find a folder for the built tools: %w", err)
	}
	cache = filepath.Join(cache, "kn-krt")
	return place{
		Source: source, Knative: release, Cache: cache, Node: 1,
		State: "/run/kn-krt", Main: "/run/kn-krt", Data: filepath.Join(cache, "data"),
	}, nil
}

// findSource looks for this folder from the current one upwards.
func findSource() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		source := filepath.Join(dir, "test", "cluster")
		if _, err := os.Stat(filepath.Join(source, "kube", "go.mod")); err == nil {
			return source, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("run this inside the repository: no test/cluster here or above")
		}
	}
}

func (p place) pki(name string) string  { return filepath.Join(p.State, "pki", name) }
func (p place) log(name string) string  { return filepath.Join(p.State, "log", name+".log") }
func (p place) conf(name string) string { return filepath.Join(p.State, "conf", name) }
func (p place) bin(name string) string  { return filepath.Join(p.Main, "bin", name) }
func (p place) volume() string          { return filepath.Join(p.Data, "volumes", "store") }
func (p place) kubeconfig() string      { return filepath.Join(p.Main, "pki", "admin.kubeconfig") }

// environment is what a command inside the cluster gets: the cluster's own
// tools first on PATH, and no way out to the Internet that would only hang.
func (p place) environment() []string {
	set := map[string]string{
		"PATH":                p.bin("") + ":" + os.Getenv("PATH") + ":/usr/local/sbin:/usr/sbin:/sbin",
		"KUBECONFIG":          p.kubeconfig(),
		"KO_DOCKER_REPO":      registry,
		"KO_DEFAULTBASEIMAGE": registry + "/base",
		"KRT_PYTHON_BASE":     registry + "/python",
		"GOPROXY":             "off",
	}
	var all []string
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); set[name] == "" {
			all = append(all, entry)
		}
	}
	for name, value := range set {
		all = append(all, name+"="+value)
	}
	return all
}
