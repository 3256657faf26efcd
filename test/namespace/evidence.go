package namespace

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// evidence names the folder in which a test that fails keeps what explains it; none is kept
// without it. `make e2e-long` sets it.
const evidence = "KRT_EVIDENCE"

// maxLog bounds the lines of a container's log that are kept.
const maxLog = "--tail=20000"

// around are the namespaces of what carries a version, whose logs are kept as well.
var around = []string{"krt-system", "knative-eventing", "knative-serving"}

// keep keeps the objects, the events, the logs, the metrics and the stacks of goroutines of a
// test's namespace before it is deleted, and returns the folder.
func keep(ctx context.Context, test, name string) string {
	root := os.Getenv(evidence)
	if root == "" {
		return ""
	}
	k := &keeper{ctx: ctx, folder: filepath.Join(root, strings.NewReplacer("/", "-", " ", "-").Replace(test))}
	k.objects(name)
	for _, namespace := range append([]string{name}, around...) {
		k.write(namespace+"/events.txt", "get", "events", "-n", namespace, "--sort-by=.lastTimestamp")
		for _, p := range k.pods(namespace) {
			k.logs(p)
			k.metrics(p)
		}
	}
	// The last: they end by it.
	for _, p := range k.pods(name) {
		k.stacks(p)
	}
	return k.folder
}

type keeper struct {
	ctx    context.Context
	folder string
}

// pod is what is needed of one.
type pod struct {
	Metadata struct{ Name, Namespace, UID string }
	Spec     struct {
		Containers []struct {
			Name  string
			Ports []struct{ ContainerPort int }
		}
	}
}

func (k *keeper) kubectl(args ...string) []byte {
	out, err := exec.CommandContext(k.ctx, "kubectl", args...).CombinedOutput()
	if err != nil {
		out = fmt.Appendf(out, "\nkubectl %s: %v\n", strings.Join(args, " "), err)
	}
	return out
}

// write keeps what a command of kubectl prints. What cannot be kept is left out: the test has
// failed of something else.
func (k *keeper) write(file string, args ...string) {
	k.put(file, k.kubectl(args...))
}

func (k *keeper) put(file string, text []byte) {
	file = filepath.Join(k.folder, file)
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err == nil && len(text) > 0 {
		_ = os.WriteFile(file, text, 0o600)
	}
}

// objects keeps all objects of the namespace but Secrets.
func (k *keeper) objects(name string) {
	kinds := strings.Fields(string(k.kubectl("api-resources", "--namespaced", "--verbs=list", "-o", "name")))
	kinds = slices.DeleteFunc(kinds, func(kind string) bool {
		return kind == "secrets" || strings.HasPrefix(kind, "events") || strings.HasSuffix(kind, ".metrics.k8s.io")
	})
	k.write(name+"/objects.yaml", "get", strings.Join(kinds, ","), "-n", name, "-o", "yaml", "--ignore-not-found")
}

func (k *keeper) pods(namespace string) []pod {
	var list struct{ Items []pod }
	_ = json.Unmarshal(k.kubectl("get", "pods", "-n", namespace, "-o", "json"), &list) // none if it cannot be read
	return list.Items
}

func (k *keeper) logs(p pod) {
	for _, c := range p.Spec.Containers {
		of := []string{"logs", "-n", p.Metadata.Namespace, p.Metadata.Name, "-c", c.Name, maxLog}
		file := fmt.Sprintf("%s/%s.%s", p.Metadata.Namespace, p.Metadata.Name, c.Name)
		k.write(file+".log", of...)
		if before, err := exec.CommandContext(k.ctx, "kubectl", append(of, "--previous")...).Output(); err == nil {
			k.put(file+".previous.log", before)
		}
	}
}

// metrics keeps what the ports of a pod serve as metrics.
func (k *keeper) metrics(p pod) {
	for _, c := range p.Spec.Containers {
		for _, port := range c.Ports {
			path := fmt.Sprintf("/api/v1/namespaces/%s/pods/%s:%d/proxy/metrics", p.Metadata.Namespace, p.Metadata.Name, port.ContainerPort)
			// A port of another protocol does not respond to this.
			ctx, cancel := context.WithTimeout(k.ctx, 5*time.Second)
			out, err := exec.CommandContext(ctx, "kubectl", "get", "--raw", path).Output()
			cancel()
			if err == nil && bytes.Contains(out, []byte("# TYPE ")) {
				k.put(fmt.Sprintf("%s/%s.%d.metrics", p.Metadata.Namespace, p.Metadata.Name, port.ContainerPort), out)
			}
		}
	}
}

// stacks has the Go programs of a pod print the stacks of their goroutines, which ends them. Only
// on the machine that runs the pod, and as root, are its processes to be seen.
func (k *keeper) stacks(p pod) {
	asked := false
	for _, pid := range Processes(p.Metadata.UID) {
		asked = syscall.Kill(pid, syscall.SIGQUIT) == nil || asked
	}
	if !asked {
		return
	}
	for _, c := range p.Spec.Containers {
		file := fmt.Sprintf("%s/%s.%s.goroutines", p.Metadata.Namespace, p.Metadata.Name, c.Name)
		k.put(file, k.stacksOf(p, c.Name))
	}
}

// stacksOf waits until the stacks are in a container's log, for a few seconds.
func (k *keeper) stacksOf(p pod, container string) (text []byte) {
	ctx, cancel := context.WithTimeout(k.ctx, 5*time.Second)
	defer cancel()
	for tick := time.NewTicker(500 * time.Millisecond); ; {
		for _, which := range []string{"--previous=true", "--previous=false"} {
			text, _ = exec.CommandContext(ctx, "kubectl", "logs", "-n", p.Metadata.Namespace, p.Metadata.Name, "-c", container, which).Output()
			if i := bytes.LastIndex(text, []byte("SIGQUIT: quit")); i >= 0 {
				tick.Stop()
				return text[i:]
			}
		}
		select {
		case <-ctx.Done():
			tick.Stop()
			return nil
		case <-tick.C:
		}
	}
}

// Processes are those of a pod on this machine, none elsewhere: the kubelet names its control groups after the pod's UID.
func Processes(uid string) (pids []int) {
	groups, _ := filepath.Glob("/proc/[0-9]*/cgroup")
	for _, file := range groups {
		text, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(text, []byte(uid)) && !bytes.Contains(text, []byte(strings.ReplaceAll(uid, "-", "_"))) {
			continue
		}
		pid, err := strconv.Atoi(strings.Split(file, "/")[2])
		if err != nil {
			continue
		}
		if name, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "comm")); strings.TrimSpace(string(name)) != "pause" {
			pids = append(pids, pid)
		}
	}
	return pids
}
