package term

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

func TestExit(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	cmd := &cobra.Command{Use: "krt"}
	tests := map[string]struct {
		ctx  context.Context
		err  error
		code int
		text string
	}{
		"fine":   {t.Context(), nil, ExitOK, ""},
		"failed": {t.Context(), errors.New("cannot continue"), ExitFailed, "Error: cannot continue\n"},
		"code":   {t.Context(), WithCode(ExitWait, errors.New("not yet")), ExitWait, "Error: not yet\n"},
		"steers": {t.Context(), errors.New("no\x1b[2J"), ExitFailed, "Error: no\\x1b[2J\n"},
		"hint":   {t.Context(), WithHint(errors.New("wall"), "Go %s.", "back"), ExitFailed, "Error: wall\nGo back.\n"},
		"two hints": {t.Context(), AlsoHint(FailAs(ExitNotFound, errors.New("wall"), "Turn."), "Go %s.", "back"), ExitNotFound,
			"Error: wall\nGo back.\nTurn.\n"},
		"first hint":       {t.Context(), AlsoHint(errors.New("wall"), "Go."), ExitFailed, "Error: wall\nGo.\n"},
		"hint that steers": {t.Context(), WithHint(errors.New("wall"), "Go\n%s.", "\x1b[2J"), ExitFailed, "Error: wall\nGo\n\\x1b[2J.\n"},
		"hint below context": {t.Context(), fmt.Errorf("cannot walk: %w", WithHint(errors.New("wall"), "Turn.")),
			ExitFailed, "Error: cannot walk: wall\nTurn.\n"},
		"usage":   {t.Context(), UsageError(cmd, "no"), ExitUsage, "Error: no\nRun 'krt --help' for usage.\n"},
		"printed": {t.Context(), Printed(errors.New("invalid")), ExitFailed, ""},
		"several": {t.Context(), Join(nil, errors.New("one"), FailAs(ExitNotFound, errors.New("two"), "Look.")),
			ExitNotFound, "Error: one\ntwo\nLook.\n"},
		"interrupted":        {canceled, fmt.Errorf("cannot wait: %w", context.Canceled), ExitInterrupted, "Interrupted.\n"},
		"interrupted, hint":  {canceled, WithHint(context.Canceled, "Again."), ExitInterrupted, "Interrupted.\nAgain.\n"},
		"cancelled by other": {t.Context(), context.Canceled, ExitFailed, "Error: context canceled\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			require.Equal(t, test.code, Exit(test.ctx, &out, test.err))
			require.Equal(t, test.text, out.String())
		})
	}
}

func TestCodeAndHint(t *testing.T) {
	require.NoError(t, Join(nil, nil))
	require.Empty(t, HintOf(errors.New("x")))
	err := fmt.Errorf("deep: %w", FailAs(ExitNotFound, errors.New("x"), "Look."))
	require.Equal(t, ExitNotFound, Exit(t.Context(), io.Discard, err))
	require.Equal(t, "Look.", HintOf(err))
}
