package scripts

import (
	"context"
	"errors"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/test/apiserver"
)

// patience bounds how long a command of a script waits for what another one does.
const patience = apiserver.Patience

// tick is how often it checks.
const tick = 20 * time.Millisecond

// apply creates the objects of YAML files in the script's namespace.
func (s *stage) apply(ts *testscript.TestScript, _ bool, args []string) {
	arguments(ts, args, 1, "apply FILE...")
	for _, file := range args {
		for document := range strings.SplitSeq(ts.ReadFile(file), "\n---\n") {
			object := &unstructured.Unstructured{}
			check(ts, yaml.Unmarshal([]byte(document), &object.Object))
			object.SetNamespace(bound(ts))
			check(ts, s.client.Create(context.Background(), object))
		}
	}
}

// status plays the controller: it waits until the version is asked for what the state
// needs, and marks it as reached.
func (s *stage) status(ts *testscript.TestScript, _ bool, args []string) {
	arguments(ts, args, 2, "status VERSION STATE [NODE REASON MESSAGE]")
	name, state := args[0], args[1]
	switch state {
	case "published", "unpublished":
		s.publication(ts, name, state == "published")
		return
	case "canary", "later", "aborted":
		s.canary(ts, name, state, args[2:])
		return
	}
	wanted := v1alpha1.StateStarted
	if state == "stopped" || state == "stopping" {
		wanted = v1alpha1.StateStopped
	}
	s.change(ts, &v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Namespace: bound(ts), Name: name}}, func(o client.Object) error {
		v := o.(*v1alpha1.Version)
		if v.WantedState() != wanted && state != "refused" {
			return errNotYet
		}
		if with := v.Status.StartedWith; state == "restarting" && (with == nil || with.Restart == v.Spec.Restart) {
			return errNotYet
		}
		v.BeginStatus()
		v.RecordState(metav1.Now())
		markVersion(v, state, args[2:])
		v.FinishStatus()
		return nil
	})
}

// markVersion marks every part of the version.
func markVersion(v *v1alpha1.Version, state string, failed []string) {
	v.MarkConfigReady()
	for _, n := range v.Spec.Nodes {
		v.MarkNodeReady(n.Name, v.Name+"-"+n.Name+"-00001", "registry.local/"+n.Name+"@sha256:1234")
	}
	for _, w := range v.Spec.Workflows {
		v.MarkWorkflowReady(w.Name, "http://"+v.Name+"-"+w.Name+".local", "")
	}
	v.MarkEntrypointReady("http://" + v.Name + "." + v.Namespace + ".svc.cluster.local")
	v.Status.Phase = v1alpha1.PhaseStarted
	switch state {
	case "started", "restarted":
		v.Status.StartedWith = &v1alpha1.StartedWith{Restart: v.Spec.Restart}
		v.MarkCurrent()
	case "behind":
		v.MarkBehind(failed...)
	case "restarting":
		v.MarkRestarting(strings.Join(failed, " "))
	case "unlucky":
		v.MarkRestartFailing(failed[0], strings.Join(failed[1:], " "))
	case "starting":
		v.Status.Phase = v1alpha1.PhaseStarting
		v.MarkNodeNotReady(v.Spec.Nodes[0].Name, v1alpha1.ReasonDeploying, "waiting for its first pod")
	case "failing", "failed":
		v.Status.Phase = v1alpha1.PhaseStarting
		if state == "failed" {
			v.Status.Phase = v1alpha1.PhaseStopped
		}
		v.MarkNodeNotReady(failed[0], failed[1], strings.Join(failed[2:], " "))
	case "stopped":
		v.Status.Phase = v1alpha1.PhaseStopped
		v.MarkStopped()
	case "stopping":
		v.Status.Phase = v1alpha1.PhaseStopping
		v.MarkStopping()
	case "refused":
		v.Status.Phase = v1alpha1.PhasePublished
		v.MarkStopRefused()
	}
}

// publication plays the Runtime's controller.
func (s *stage) publication(ts *testscript.TestScript, version string, published bool) {
	runtime := &v1alpha1.Runtime{ObjectMeta: metav1.ObjectMeta{Namespace: bound(ts), Name: v1alpha1.RuntimeName}}
	before := ""
	s.change(ts, runtime, func(o client.Object) error {
		r := o.(*v1alpha1.Runtime)
		if (r.Spec.PublishedVersion == version) != published {
			return errNotYet
		}
		before = r.Status.PublishedVersion
		r.BeginStatus()
		if published {
			r.MarkPublished(version, metav1.Now())
		} else {
			r.MarkNothingPublished(metav1.Now())
		}
		return nil
	})
	for _, name := range []string{before, version} {
		if name == "" {
			continue
		}
		s.change(ts, &v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Namespace: bound(ts), Name: name}}, func(o client.Object) error {
			v := o.(*v1alpha1.Version)
			if v.Name == version && published {
				v.Status.Phase = v1alpha1.PhasePublished
				v.MarkPublished()
			} else {
				v.Status.Phase = v1alpha1.PhaseStarted
				v.MarkNotPublished()
			}
			return nil
		})
	}
}

// canary plays the Runtime's controller for a canary: once the spec has changed, and later, it gets the
// phase and the message; aborted is when the spec does not name it any more.
func (s *stage) canary(ts *testscript.TestScript, version, state string, args []string) {
	wanted := state != "aborted"
	runtime := &v1alpha1.Runtime{ObjectMeta: metav1.ObjectMeta{Namespace: bound(ts), Name: v1alpha1.RuntimeName}}
	s.change(ts, runtime, func(o client.Object) error {
		r := o.(*v1alpha1.Runtime)
		spec := r.Spec.Canary
		if (spec != nil && spec.Version == version) != wanted || (r.Status.ObservedGeneration == r.Generation) != (state == "later") {
			return errNotYet
		}
		r.BeginStatus()
		if r.Status.Canary = nil; !wanted {
			return nil
		}
		next := &v1alpha1.CanaryStatus{
			Version: version, Phase: v1alpha1.CanaryPhase(args[0]), Reason: "Reason", Message: strings.Join(args[1:], " "),
			Weight: spec.Weight, Mirror: spec.Mirror,
		}
		if plan := spec.Plan; plan != nil {
			next.Weight, next.Step = plan.Steps[0].Weight, 1
			next.Samples = v1alpha1.CanarySamples{Published: 900, Canary: 47, Fallbacks: 3}
			next.Values = []v1alpha1.CanaryValue{
				{Name: "errorRatio", Published: "0.4 %", Canary: "0.0 %", Limit: "1.4 %", Verdict: v1alpha1.VerdictGood},
				{Name: "p95", Published: "12 ms", Canary: "13 ms", Limit: "14 ms", Verdict: v1alpha1.VerdictWaiting},
			}
		}
		r.Status.Canary = next
		return nil
	})
}

// change writes the status that f gives to the object, as soon as f is content.
func (s *stage) change(ts *testscript.TestScript, object client.Object, f func(client.Object) error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		err := s.client.Get(ctx, client.ObjectKeyFromObject(object), object)
		if err == nil {
			err = f(object)
		}
		if err == nil {
			err = s.client.Status().Update(ctx, object)
		}
		if err == nil {
			return
		}
		if !errors.Is(err, errNotYet) && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			ts.Fatalf("%v", err)
		}
		select {
		case <-ctx.Done():
			ts.Fatalf("%s: %v", object.GetName(), err)
		case <-ticker.C:
		}
	}
}

// What differs from run to run, and what replaces it in goldens.
var volatile = []struct{ pattern, replacement string }{
	{`https://127\.0\.0\.1:\d+`, "https://CLUSTER"},
	{`v\d+\.\d+\.\d+`, "RELEASE"},
	{`(?m)^ *\d+\.\d{3}s `, "SECONDS "},
	{`(?m)(^| )\d+(s|m|m\d+s)( |$)`, "${1}AGE${3}"},
	{`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`, "TIME"},
	{`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`, "UID"},
	{`("?resourceVersion"?: )"\d+"`, `${1}"REVISION"`},
	{`(?m) +$`, ""},       // a row's last cell may be empty
	{`(\S) {2,}`, "$1  "}, // columns move with the width of an age
}

// mask writes an output of the last command to a file that cmp can compare: what
// differs from run to run is replaced.
func mask(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mask stdout|stderr FILE")
	}
	text := ts.ReadFile(args[0])
	for _, v := range volatile {
		text = regexp.MustCompile(v.pattern).ReplaceAllString(text, v.replacement)
	}
	check(ts, os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o600))
}
