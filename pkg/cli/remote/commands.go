package remote

import (
	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/term"
)

// Commands returns the verbs of this package.
func Commands(s term.Streams) []*cobra.Command {
	return []*cobra.Command{
		newAbortCommand(s),
		newConfigCommand(s),
		newCreateCommand(s),
		newDashboardCommand(s),
		newDeleteCommand(s),
		newDescribeCommand(s),
		newEventsCommand(s),
		newGraphCommand(s),
		newListCommand(s),
		newLogsCommand(s),
		newPauseCommand(s),
		newPromoteCommand(s),
		newPublishCommand(s),
		newRenderCommand(s),
		newRestartCommand(s),
		newResumeCommand(s),
		newRollbackCommand(s),
		newStartCommand(s),
		newStopCommand(s),
		newTrafficCommand(s),
		newUninstallCommand(s),
		newUnpublishCommand(s),
		newWaitCommand(s),
	}
}
