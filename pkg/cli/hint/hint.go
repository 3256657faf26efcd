// Package hint says what to do next about an error of a cluster's client, in commands that
// can be typed. The command line and the dashboard show the same.
package hint

import (
	"errors"
	"fmt"
	"strings"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/cluster/backlog"
	"krt.dev/kn-krt/pkg/cluster/logs"
	"krt.dev/kn-krt/pkg/cluster/value"
	"krt.dev/kn-krt/pkg/krt/configvalue"
)

// InstallCommand puts kn-krt on a cluster; it is typed in the sources' folder.
const InstallCommand = "KO_CONFIG_PATH=ko.yaml ko apply -f config/"

// InstallQueueCommand puts the queue of durable deliveries on it.
const InstallQueueCommand = InstallCommand + "queue/"

// Place is where the commands of hints are typed.
type Place struct {
	// Program is what to type for the command line: "kn-krt" or "kn krt".
	Program string
	// Namespace is the namespace that is worked in. Commands of the program name it if
	// Explicit is set, those of kubectl always.
	Namespace string
	Explicit  bool
}

// Command is what to type to run a verb in the same namespace.
func (p Place) Command(format string, args ...any) string {
	text := p.Program + " " + fmt.Sprintf(format, args...)
	if p.Explicit {
		text += " -n " + p.Namespace
	}
	return text
}

// Kubectl is what to type to run kubectl in the same namespace.
func (p Place) Kubectl(format string, args ...any) string {
	return fmt.Sprintf("kubectl -n %s ", p.Namespace) + fmt.Sprintf(format, args...)
}

// Text is what to do next about an error of the cluster client; "" if there is nothing to say.
func (p Place) Text(err error) string { return term.HintOf(p.Hint(err)) }

// Hint adds to an error of the cluster client the exit code, and what to do next. Other
// errors, and those that have a hint, stay as they are.
func (p Place) Hint(err error) error {
	var (
		request *cluster.Error
		refused *cluster.RefusedError
		waited  *cluster.WaitError
	)
	switch {
	case err == nil, term.HintOf(err) != "":
		return err
	case errors.As(err, &refused):
		return term.FailAs(term.ExitFailed, err, "%s", p.hintRefused(refused))
	case errors.As(err, &waited):
		return term.FailAs(term.ExitWait, err, "%s", p.hintWaited(waited))
	case errors.As(err, &request):
		return p.hintRequest(err, request)
	}
	return p.hintArgument(err)
}

// hintArgument adds what to do about a name or value that was given.
func (p Place) hintArgument(err error) error {
	var (
		unknown     *cluster.NotFoundError
		name        *logs.UnknownNameError
		unavailable *cluster.UnavailableError
		wrong       *value.Error
		direct      *backlog.NoQueueError
	)
	switch {
	case errors.Is(err, cluster.ErrNoCredential):
		return term.WithHint(err, "Start or restart a version there: '%s'.", p.Command("restart NAME"))
	case errors.As(err, &unknown) && len(unknown.Known) == 0:
		return term.FailAs(term.ExitNotFound, err, "The namespace has none. List those of all namespaces with '%s list -A'.", p.Program)
	case errors.As(err, &unknown):
		return term.FailAs(term.ExitNotFound, err, "It has: %s", strings.Join(unknown.Known, ", "))
	case errors.As(err, &name):
		return term.FailAs(term.ExitNotFound, err, "It has: %s", strings.Join(name.Known, ", "))
	case errors.As(err, &unavailable) && unavailable.Stopped:
		return term.WithHint(err, "Start it with '%s'.", p.Command("start %s", unavailable.Version))
	case errors.As(err, &unavailable):
		return term.WithHint(err, "'%s' shows its state.", p.Command("describe %s", unavailable.Version))
	case errors.As(err, &direct):
		return term.FailAs(term.ExitNotFound, err, "A version gets one when it is created with --delivery Durable.")
	case errors.As(err, &wrong) && wrong.Variable:
		return term.WithHint(err, "Change it, or declare it as a config file instead (config.files of krt.yml).")
	}
	return p.hintRequests(err)
}

// hintRequests adds what to do about requests that cannot be read.
func (p Place) hintRequests(err error) error {
	var (
		unkept  *cluster.RequestNotFoundError
		replica *cluster.ReplicaError
	)
	switch {
	case errors.As(err, &unkept):
		return term.FailAs(term.ExitNotFound, err, "'%s' lists those that are kept.", p.Command("requests %s", unkept.Version))
	case errors.As(err, &replica) && replica.Older:
		return term.WithHint(err, "Let this release run it with '%s'.", p.Command("restart %s", replica.Version))
	}
	return err
}

// hintRequest adds what to do about a request that the cluster did not do.
func (p Place) hintRequest(err error, e *cluster.Error) error {
	switch e.Reason {
	case cluster.ReasonNotInstalled:
		return term.FailAs(term.ExitCluster, err,
			"Install it from kn-krt's sources with '%s', then check with '%s doctor'.", InstallCommand, p.Program)
	case cluster.ReasonUnauthorized:
		return term.FailAs(term.ExitCluster, err, "Sign in again, or name another user with --context NAME.")
	case cluster.ReasonForbidden:
		return term.FailAs(term.ExitCluster, err,
			"Ask for the role that has it (for a service account with --serviceaccount=NAMESPACE:NAME instead of --user): %s",
			p.Grant(""))
	case cluster.ReasonUnreachable:
		return term.FailAs(term.ExitCluster, err, "Check that it runs with 'kubectl cluster-info', or name another one with --context NAME.")
	case cluster.ReasonNamespaceNotFound:
		return term.FailAs(term.ExitNotFound, err, "Create it with 'kubectl create namespace %s'.", e.Namespace)
	case cluster.ReasonNamespaceTerminating:
		return term.WithHint(err, "Wait until the namespace is deleted, or use another one with -n NAME.")
	case cluster.ReasonConflict:
		return term.WithHint(err, "Check what was changed, then try again.")
	}
	return err
}

// hintRefused is what to do about a rule that refuses what was asked for.
func (p Place) hintRefused(e *cluster.RefusedError) string {
	switch e.Rule {
	case cluster.RuleExists:
		return "Give the new content a name of its own (version: in krt.yml), or delete that one first: '" +
			p.Command("delete %s", e.Version) + "'."
	case cluster.RuleExistsStarted:
		return "What runs does not change: give the new content a name of its own (version: in krt.yml)."
	case cluster.RuleConfigMissing:
		return "Set it with '" + p.Command("config %s %s", e.Version, SetFlags(e.Missing)) + "'."
	case cluster.RuleStarted:
		return "Stop it with '" + p.Command("stop %s", e.Version) + "', or do both at once with --force."
	case cluster.RuleStopped:
		return "Start it with '" + p.Command("start %s", e.Version) + "'."
	case cluster.RuleNotReady:
		return "Wait for it with '" + p.Command("wait %s", e.Version) + "'."
	case cluster.RulePublished:
		return "Unpublish it with '" + p.Command("unpublish %s", e.Version) + "', or publish another version."
	case cluster.RuleStillPublished:
		return "Check with '" + p.Command("list") + "'."
	case cluster.RuleNeverPublished:
		return "Publish a version with '" + p.Command("publish NAME") + "'."
	case cluster.RuleFirstPublished, cluster.RulePreviousDeleted:
		return "Publish another version with '" + p.Command("publish NAME") + "'."
	}
	return p.hintCanary(e)
}

// hintWaited is what to do about a version that has not become what was waited for.
func (p Place) hintWaited(e *cluster.WaitError) string {
	switch e.Observation.Situation {
	case cluster.SituationAskedToStop:
		return "Start it with '" + p.Command("start %s", e.Version) + "'."
	case cluster.SituationAskedToStart:
		return "Stop it with '" + p.Command("stop %s", e.Version) + "'."
	case cluster.SituationNotDeleted:
		return "Delete it with '" + p.Command("delete %s", e.Version) + "'."
	case cluster.SituationAskedToPublish:
		return "Unpublish it with '" + p.Command("unpublish %s", e.Version) + "', or publish another version."
	case cluster.SituationAskedToServe:
		return "Abort it with '" + p.Command("abort") + "'."
	case cluster.SituationUnobserved:
		return "Check whether the controller runs with '" + p.Program + " doctor'."
	}
	return ""
}

// Kubeconfig adds to an error about the user's kubeconfig what to do next.
func Kubeconfig(err error) error {
	var unusable *cluster.KubeconfigError
	switch {
	case !errors.As(err, &unusable):
		return err
	case unusable.Context != "":
		return term.FailAs(term.ExitCluster, err, "It has: %s", strings.Join(unusable.Contexts, ", "))
	}
	return term.FailAs(term.ExitCluster, err, "Name a cluster with --kubeconfig FILE and --context NAME, or in the variable KUBECONFIG.")
}

// SetFlags is how to give what is missing, as flags of config and create.
func SetFlags(missing *configvalue.MissingError) string {
	var flags []string
	for _, name := range missing.Variables {
		flags = append(flags, "--set "+name+"=VALUE")
	}
	for _, name := range missing.Files {
		flags = append(flags, "--set-from-file "+name+"=PATH")
	}
	return strings.Join(flags, " ")
}
