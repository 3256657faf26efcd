package remote

import (
	"errors"
	"strings"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cluster"
)

// InstallCommand puts kn-krt on a cluster; it is typed in the sources' folder.
const InstallCommand = "KO_CONFIG_PATH=ko.yaml ko apply -f config/"

// Hint adds to an error of the cluster client the exit code, and what to do next. Other
// errors, and those that have a hint, stay as they are.
func (c *Cluster) Hint(err error) error {
	var (
		request *cluster.Error
		refused *cluster.RefusedError
		waited  *cluster.WaitError
	)
	switch {
	case err == nil, term.HintOf(err) != "":
		return err
	case errors.As(err, &refused):
		return term.FailAs(term.ExitFailed, err, "%s", c.hintRefused(refused))
	case errors.As(err, &waited):
		return term.FailAs(term.ExitWait, err, "%s", c.hintWaited(waited))
	case errors.As(err, &request):
		return c.hintRequest(err, request)
	}
	return c.hintArgument(err)
}

// hintArgument adds what to do about a name or value that was given.
func (c *Cluster) hintArgument(err error) error {
	var (
		unknown     *cluster.NotFoundError
		name        *cluster.UnknownNameError
		unavailable *cluster.UnavailableError
		value       *cluster.ConfigError
	)
	switch {
	case errors.Is(err, cluster.ErrNoCredential):
		return term.WithHint(err, "Start or restart a version there: '%s'.", c.command("restart NAME"))
	case errors.As(err, &unknown) && len(unknown.Known) == 0:
		return term.FailAs(term.ExitNotFound, err, "The namespace has none. List those of all namespaces with '%s list -A'.", c.program)
	case errors.As(err, &unknown):
		return term.FailAs(term.ExitNotFound, err, "It has: %s", strings.Join(unknown.Known, ", "))
	case errors.As(err, &name):
		return term.FailAs(term.ExitNotFound, err, "It has: %s", strings.Join(name.Known, ", "))
	case errors.As(err, &unavailable) && unavailable.Stopped:
		return term.WithHint(err, "Start it with '%s'.", c.command("start %s", unavailable.Version))
	case errors.As(err, &unavailable):
		return term.WithHint(err, "'%s' shows its state.", c.command("describe %s", unavailable.Version))
	case errors.As(err, &value) && value.Variable:
		return term.WithHint(err, "Change it, or declare it as a config file instead (config.files of krt.yml).")
	}
	return c.hintRequests(err)
}

// hintRequest adds what to do about a request that the cluster did not do.
func (c *Cluster) hintRequest(err error, e *cluster.Error) error {
	switch e.Reason {
	case cluster.ReasonNotInstalled:
		return term.FailAs(term.ExitCluster, err,
			"Install it from kn-krt's sources with '%s', then check with '%s doctor'.", InstallCommand, c.program)
	case cluster.ReasonUnauthorized:
		return term.FailAs(term.ExitCluster, err, "Sign in again, or name another user with --context NAME.")
	case cluster.ReasonForbidden:
		return term.FailAs(term.ExitCluster, err,
			"Ask for the role that has it: %s", c.Kubectl("create rolebinding kn-krt-users --clusterrole=edit --user=YOU"))
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
func (c *Cluster) hintRefused(e *cluster.RefusedError) string {
	switch e.Rule {
	case cluster.RuleExists:
		return "Give the new content a name of its own (version: in krt.yml), or delete that one first: '" +
			c.command("delete %s", e.Version) + "'."
	case cluster.RuleExistsStarted:
		return "What runs does not change: give the new content a name of its own (version: in krt.yml)."
	case cluster.RuleConfigMissing:
		return "Set it with '" + c.command("config %s %s", e.Version, setFlags(e.Missing)) + "'."
	case cluster.RuleStarted:
		return "Stop it with '" + c.command("stop %s", e.Version) + "', or do both at once with --force."
	case cluster.RuleStopped:
		return "Start it with '" + c.command("start %s", e.Version) + "'."
	case cluster.RuleNotReady:
		return "Wait for it with '" + c.command("wait %s", e.Version) + "'."
	case cluster.RulePublished:
		return "Unpublish it with '" + c.command("unpublish %s", e.Version) + "', or publish another version."
	case cluster.RuleStillPublished:
		return "Check with '" + c.command("list") + "'."
	case cluster.RuleNeverPublished:
		return "Publish a version with '" + c.command("publish NAME") + "'."
	case cluster.RuleFirstPublished, cluster.RulePreviousDeleted:
		return "Publish another version with '" + c.command("publish NAME") + "'."
	}
	return ""
}

// hintWaited is what to do about a version that has not become what was waited for.
func (c *Cluster) hintWaited(e *cluster.WaitError) string {
	switch e.Observation.Situation {
	case cluster.SituationAskedToStop:
		return "Start it with '" + c.command("start %s", e.Version) + "'."
	case cluster.SituationAskedToStart:
		return "Stop it with '" + c.command("stop %s", e.Version) + "'."
	case cluster.SituationNotDeleted:
		return "Delete it with '" + c.command("delete %s", e.Version) + "'."
	case cluster.SituationAskedToPublish:
		return "Unpublish it with '" + c.command("unpublish %s", e.Version) + "', or publish another version."
	case cluster.SituationUnobserved:
		return "Check whether the controller runs with '" + c.program + " doctor'."
	}
	return ""
}

// hintKubeconfig adds to an error about the user's kubeconfig what to do next.
func hintKubeconfig(err error) error {
	var unusable *cluster.KubeconfigError
	switch {
	case !errors.As(err, &unusable):
		return err
	case unusable.Context != "":
		return term.FailAs(term.ExitCluster, err, "It has: %s", strings.Join(unusable.Contexts, ", "))
	}
	return term.FailAs(term.ExitCluster, err, "Name a cluster with --kubeconfig FILE and --context NAME, or in the variable KUBECONFIG.")
}
