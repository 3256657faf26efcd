package krt

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"krt.dev/kn-krt/pkg/runner/environment"
)

func (r *reader) checkNodes(m *Manifest) {
	if len(m.Nodes) == 0 {
		r.require("nodes", ": a version needs at least one")
	}
	used := map[string]bool{}
	for _, w := range m.Workflows {
		for _, step := range w.Sequential {
			used[step] = true
		}
	}
	first := map[string]string{}
	for i, n := range m.Nodes {
		at := fmt.Sprintf("nodes[%d]", i)
		if r.name(at+".name", n.Name, reservedNodes) && !used[n.Name] {
			r.warn(at+".name", "not used in any workflow")
		}
		if n.Name != "" && first[n.Name] != "" {
			r.fail(at+".name", "the name is used twice; the first is on line %d", r.place(first[n.Name]+".name").line)
		} else {
			first[n.Name] = at
		}
		r.checkSource(at, n)
		r.checkFork(at, n)
		r.checkScale(at, n)
		r.checkGPU(at, n)
		r.checkResources(at, n.Resources)
		r.checkEnv(at, n.Env, m.Config)
	}
}

// checkSource checks image and src as far as the manifest alone shows.
func (r *reader) checkSource(at string, n Node) {
	ko := r.image(at+".image", n.Image)
	switch {
	case n.Src != "":
		r.inside(at+".src", n.Src)
	case ko || n.Image == "":
	case runnerPattern.MatchString(n.Image):
		r.require(at+".src", fmt.Sprintf(": image %.80q does not contain a node's code", n.Image))
	case !r.reported(at+".src") && !r.reported(at+".image"):
		r.warn(at+".src", "no src: its image must contain the node's code, and only a cluster can run the node")
	}
}

// checkFork warns of a fork that will not be.
func (r *reader) checkFork(at string, n Node) {
	switch {
	case !n.Fork:
	case n.GPU:
		r.warn(at+".fork", "fork has no effect on a node with a GPU: each of its workers is started as a process of its own")
	case n.Src != "" && !strings.HasSuffix(n.Src, ".py"):
		r.warn(at+".fork", "fork has no effect: only the workers of a Python node can be forked")
	}
}

func (r *reader) checkScale(at string, n Node) {
	s := n.Scale
	if s == nil {
		return
	}
	if n.Replicas != nil && s.Min != nil && *n.Replicas != *s.Min {
		r.fail(at+".scale.min", "scale.min is %d and replicas is %d: both set the minimum number of pods; set only one of them", *s.Min,
			*n.Replicas)
	}
	least := s.Min
	if least == nil {
		least = n.Replicas
	}
	if least != nil && s.Max != nil && *s.Max > 0 && *s.Max < *least {
		r.fail(at+".scale.max", "scale.max is %d, below the minimum of %d pods", *s.Max, *least)
	}
}

// checkGPU checks which GPUs a node asks for.
func (r *reader) checkGPU(at string, n Node) {
	if n.GPURequest == nil || n.GPURequest.Resource == "" {
		return
	}
	name, place := n.GPURequest.Resource, at+".gpu.resource"
	if !gpuPattern.MatchString(name) || kubernetesResource.MatchString(name) {
		r.fail(place, "gpu.resource: %.80q is not a GPU; use a resource such as nvidia.com/gpu or nvidia.com/mig-1g.10gb", name)
		return
	}
	if n.Resources == nil {
		return
	}
	for field, quantities := range map[string]map[string]string{"requests": n.Resources.Requests, "limits": n.Resources.Limits} {
		if _, twice := quantities[name]; twice {
			r.fail(at+".resources."+field+"."+name, "resources.%s: %s is what gpu asks for; remove it here", field, name)
		}
	}
}

func (r *reader) checkResources(at string, resources *Resources) {
	if resources == nil {
		return
	}
	for field, quantities := range map[string]map[string]string{"requests": resources.Requests, "limits": resources.Limits} {
		for _, name := range slices.Sorted(maps.Keys(quantities)) {
			place := at + ".resources." + field + "." + name
			switch quantity := quantities[name]; {
			case !resourcePattern.MatchString(name):
				r.fail(place, "resources.%s: %.80q is not a resource; use cpu, memory, ephemeral-storage or a name such as nvidia.com/gpu", field, name)
			case quantity != "" && !quantityPattern.MatchString(quantity):
				r.fail(place, `resources.%s: %s must be a quantity such as "500m" or "2Gi", not %.40q`, field, name, quantity)
			case strings.Contains(name, "/"):
				r.checkDevices(place, resources, name, quantity)
			}
		}
	}
}

// checkDevices checks the quantity of a resource that Kubernetes gives to a container as a whole.
func (r *reader) checkDevices(place string, resources *Resources, name, quantity string) {
	limit, limited := resources.Limits[name]
	request, requested := resources.Requests[name]
	switch {
	case quantity != "" && !wholePattern.MatchString(quantity):
		r.fail(place, "%s must be a whole number, not %.40q: Kubernetes does not divide such a resource", name, quantity)
	case !limited:
		r.fail(place, "%s is in requests only; set it in limits, and leave it out of requests", name)
	case requested && request != limit && strings.Contains(place, ".resources.limits."):
		r.fail(place, "%s: the limit %.40q is not the request %.40q; set the limit only", name, limit, request)
	}
}

func (r *reader) checkEnv(at string, env map[string]string, config Config) {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		place := join(at+".env", name)
		variable, _ := environment.Find(name)
		switch {
		case !envPattern.MatchString(name):
			r.fail(place, `environment variable %.80q may contain only letters, digits and "_", and must not begin with a digit`, name)
		case variable.Key != "":
			r.fail(place, "environment variable %s is set by the platform: use the node's key %s instead", name, variable.Key)
		case reservedVariables.MatchString(name):
			r.fail(place, "environment variable %.80q is reserved for the platform; choose another name", name)
		case slices.Contains(config.Variables, name) || slices.Contains(config.Files, name):
			r.fail(place, "environment variable %.80q is also a config variable; declare it only once", name)
		}
	}
}
