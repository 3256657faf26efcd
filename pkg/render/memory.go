package render

import (
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
)

// ownMemory is what an entrypoint needs besides requests and responses, in bytes: for its
// program, its connections, its caches.
const ownMemory = 128 << 20

// Budget is how many bytes of requests and responses an entrypoint holds at most.
func (s Settings) Budget() int64 {
	if s.EntrypointBudget > 0 {
		return s.EntrypointBudget
	}
	return memory.DefaultBudget(s.MaxMessageBytes)
}

// memoryNeeded is the memory with which an entrypoint stays within its budget: twice that,
// for garbage and what requests in flight need besides their data.
func (s Settings) memoryNeeded() int64 { return 2*s.Budget() + ownMemory }

// checkMemory reports what is wrong with the settings about memory.
func (s Settings) checkMemory() (problems []error) {
	if least := memory.LeastBudget(s.MaxMessageBytes); s.Budget() < least {
		problems = append(problems, fmt.Errorf("entrypoint-memory-budget: %s is less than eight times max-message-bytes, %s",
			bytesText(s.Budget()), bytesText(least)))
	}
	limit := s.EntrypointResources.Limits.Memory().Value()
	if limit > 0 && limit < s.memoryNeeded() {
		problems = append(problems, fmt.Errorf(
			"entrypoint-resources: limits.memory %s is less than the %s needed for an entrypoint-memory-budget of %s",
			s.EntrypointResources.Limits.Memory(), bytesText(s.memoryNeeded()), bytesText(s.Budget())))
	}
	return problems
}

func bytesText(n int64) string { return resource.NewQuantity(n, resource.BinarySI).String() }

// entrypointResources are the settings', with a request and a limit for memory that fit the
// budget if they have none.
func (s Settings) entrypointResources() corev1.ResourceRequirements {
	r := *s.EntrypointResources.DeepCopy()
	fill := func(list *corev1.ResourceList, n int64) {
		if _, set := (*list)[corev1.ResourceMemory]; set {
			return
		}
		if *list == nil {
			*list = corev1.ResourceList{}
		}
		(*list)[corev1.ResourceMemory] = *resource.NewQuantity(n, resource.BinarySI)
	}
	fill(&r.Limits, s.memoryNeeded())
	// An idle entrypoint needs little, a busy one its budget.
	fill(&r.Requests, min(s.Budget()/2, r.Limits.Memory().Value()))
	return r
}

// memoryLimit sets the limit of Go's garbage collector, so that it runs before the
// container's limit is reached.
func memoryLimit(r corev1.ResourceRequirements) corev1.EnvVar {
	limit := r.Limits.Memory().Value()
	return corev1.EnvVar{Name: "GOMEMLIMIT", Value: strconv.FormatInt(limit-limit/10, 10)}
}
