package canary

import (
	"strconv"
	"strings"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/judge"
)

// limitsOf returns the limits of a plan that has its defaults.
func limitsOf(plan *v1alpha1.CanaryPlan) judge.Limits {
	of := plan.Limits
	limits := judge.Limits{MinRequests: int64(plan.MinRequests), Steps: len(plan.Steps)}
	if of.ErrorRatio != nil {
		limits.ErrorRatio = new(share(of.ErrorRatio.Increase))
	}
	if of.P95 != nil {
		limits.P95 = new(share(of.P95.Increase))
	}
	if a := of.Accuracy; a != nil {
		limits.Accuracy = &judge.Accuracy{Decrease: share(a.Decrease), MinSamples: int64(a.MinSamples)}
	}
	if a := of.Agreement; a != nil {
		limits.Agreement = &judge.Agreement{Min: share(a.Min), MinSamples: int64(a.MinSamples)}
	}
	for _, q := range of.Query {
		limits.Queries = append(limits.Queries, judge.Query{Name: q.Name, Min: number(q.Min), Max: number(q.Max)})
	}
	return limits
}

// share is a percentage, in the form that the CRD requires, as a share: "1.5%" is 0.015.
func share(percentage string) float64 {
	value, _ := strconv.ParseFloat(strings.TrimSuffix(percentage, "%"), 64)
	return value / 100
}

// number is a decimal number; nil if it is empty.
func number(text string) *float64 {
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil
	}
	return &value
}
