package durable

import (
	"context"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/entrypoint/delivery"
	"krt.dev/kn-krt/pkg/entrypoint/seal"
	"krt.dev/kn-krt/pkg/runner/environment"
)

// Extend has an entrypoint deliver by a queue, if its options ask for that. What is wrong with the
// settings is the error with which the entrypoint then does not start.
func Extend(v entrypoint.Version, o *entrypoint.Options) (end func()) {
	end = func() {}
	if o.Durable == nil {
		return end
	}
	own := Options{
		Namespace: v.Namespace, Version: v.Name, Queue: *o.Durable, Retry: o.Retry, Background: v.BackgroundTimeout, Logger: o.Logger,
		Cold: o.Cold,
	}
	if o.Mail != nil {
		own.Letters, own.Results = o.Mail, v.Results
	}
	if own.Background == 0 {
		own.Background = environment.DefaultBackgroundTimeout
	}
	for _, w := range v.Workflows {
		if w.Address == "" {
			own.Workflows = append(own.Workflows, Workflow{Name: w.Name, Steps: w.Steps})
		}
	}
	carrier, err := New(own)
	if err != nil {
		o.Queue = unusable{err}
		return end
	}
	o.Queue = carrier
	o.Collectors = append(o.Collectors, carrier)
	o.Inspection = carrier.Handlers()
	return end
}

// unusable is a queue whose settings are wrong.
type unusable struct{ err error }

func (u unusable) Delivery(*delivery.Sender, string, []delivery.Step) (delivery.Delivery, error) {
	return nil, u.err
}
func (u unusable) Start(delivery.Home) error                { return u.err }
func (u unusable) Carried(seal.ID, string) delivery.Carried { return nil }
func (u unusable) Stop(context.Context)                     {}
