package render

import (
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
)

// ownMemory is what an entrypoint needs besides what it holds for others: its
// program, its connections, its caches.
const ownMemory = 128 << 20

// Budget is how many bytes of requests and responses an entrypoint holds at most.
func (s Settings) Budget() int64 {
	if s.EntrypointBudget > 0 {
		return s.EntrypointBudget
	}
	return memory.DefaultBudget(s.MaxMessageBytes)
}

// memoryNeeded is the memory with which an entrypoint keeps to its budget: twice
// that, for garbage and what requests in flight take besides their data.
func (s Settings) memoryNeeded() int64 { return 2*s.Budget() + ownMemory }

// checkMemory says what of the settings of memory cannot be.
func (s Settings) checkMemory() (problems []error) {
	if least := memory.LeastBudget(s.MaxMessageBytes); s.Budget() < least {
		problems = append(problems, fmt.Errorf("entrypoint-memory-budget: %s is less than eight of the largest messages (max-message-bytes), %s",
			bytesText(s.Budget()), bytesText(least)))
	}
	limit := s.EntrypointResources.Limits.Memory().Value()
	if limit > 0 && limit < s.memoryNeeded() {
		problems = append(problems, fmt.Errorf("entrypoint-resources: limits.memory %s is less than the %s needed for an entrypoint-memory-budget of %s",
			s.EntrypointResources.Limits.Memory(), bytesText(s.memoryNeeded()), bytesText(s.Budget())))
	}
	return problems
}

func bytesText(n int64) string { return resource.NewQuantity(n, resource.BinarySI).String() }

// entrypointResources are the settings', with a request of and a limit to memory
// that fit the budget where they have none.
func (s Settings) entrypointResources() corev1.ResourceRequirements {
	r := *s.EntrypointResources.DeepCopy()
	fill := func(list *corev1.ResourceList, n int64) {
		if _, said := (*list)[corev1.ResourceMemory]; said {
			return
		}
		if *list == nil {
			*list = corev1.ResourceList{}
		}
		(*list)[corev1.ResourceMemory] = *resource.NewQuantity(n, resource.BinarySI)
	}
	fill(&r.Limits, s.memoryNeeded())
	// A quiet entrypoint needs little, a busy one its budget.
	fill(&r.Requests, min(s.Budget()/2, r.Limits.Memory().Value()))
	return r
}

// memoryLimit tells Go's garbage collector how much memory there is, so that it
// runs before the limit is met.
func memoryLimit(r corev1.ResourceRequirements) corev1.EnvVar {
	limit := r.Limits.Memory().Value()
	return corev1.EnvVar{Name: "GOMEMLIMIT", Value: strconv.FormatInt(limit-limit/10, 10)}
}
