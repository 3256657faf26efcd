package load_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/test/namespace"
)

// sample is what the pods of a version and those that carry it use at a time.
type sample struct {
	pods    map[string]use // by namespace and name
	objects int            // that the apiserver keeps
}

// use is what a pod's processes use.
type use struct{ resident, goroutines, files, sockets int }

func (s sample) names() []string { return slices.Sorted(maps.Keys(s.pods)) }

// sample reads it from the kernel, which works on the machine of `make cluster`, and from the
// metrics of those that have any. What cannot be read is 0.
func (p place) sample() sample {
	p.t.Helper()
	s := sample{pods: map[string]use{}}
	for _, in := range []struct{ namespace, selector string }{
		{p.Name, "krt.dev/version in (steady, direct)"}, {"krt-system", ""}, {"knative-eventing", "messaging.knative.dev/role=dispatcher"},
	} {
		selector, err := labels.Parse(in.selector)
		if err != nil {
			p.t.Fatal(err)
		}
		var pods corev1.PodList
		err = p.client.List(p.t.Context(), &pods, client.InNamespace(in.namespace), client.MatchingLabelsSelector{Selector: selector})
		if err != nil {
			continue
		}
		for i := range pods.Items {
			name := in.namespace + "/" + pods.Items[i].Name
			if in.namespace == p.Name {
				name = pods.Items[i].Name
			}
			s.pods[name] = p.use(&pods.Items[i])
		}
	}
	for _, value := range p.metric("/metrics", "apiserver_resource_objects", "apiserver_storage_objects") {
		s.objects += max(value, 0)
	}
	return s
}

// use is what the processes of a pod use.
func (p place) use(pod *corev1.Pod) (u use) {
	for _, pid := range namespace.Processes(string(pod.UID)) {
		of := fmt.Sprintf("/proc/%d/", pid)
		if text, err := os.ReadFile(of + "statm"); err == nil {
			if fields := strings.Fields(string(text)); len(fields) > 1 {
				pages, _ := strconv.Atoi(fields[1])
				u.resident += pages * os.Getpagesize()
			}
		}
		files, _ := filepath.Glob(of + "fd/*")
		u.files += len(files)
		for _, file := range files {
			if to, err := os.Readlink(file); err == nil && strings.HasPrefix(to, "socket:") {
				u.sockets++
			}
		}
	}
	for _, c := range pod.Spec.Containers {
		for _, port := range c.Ports {
			path := fmt.Sprintf("/api/v1/namespaces/%s/pods/%s:%d/proxy/metrics", pod.Namespace, pod.Name, port.ContainerPort)
			for _, value := range p.metric(path, "go_goroutines") {
				u.goroutines += value
			}
		}
	}
	return u
}

// metric reads the values of the first of the names that a path of the apiserver has, none if it cannot.
func (p place) metric(path string, names ...string) (values []int) {
	text, err := p.Try("", "kubectl", "get", "--raw", path)
	if err != nil {
		return nil
	}
	for _, name := range names {
		for line := range strings.Lines(text) {
			rest, ok := strings.CutPrefix(line, name)
			if !ok || rest == "" || rest[0] != ' ' && rest[0] != '{' {
				continue
			}
			fields := strings.Fields(line)
			if value, err := strconv.ParseFloat(fields[len(fields)-1], 64); err == nil {
				values = append(values, int(value))
			}
		}
		if values != nil {
			return values
		}
	}
	return nil
}
