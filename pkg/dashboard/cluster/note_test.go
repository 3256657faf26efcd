package cluster

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

func TestTheNoteOfAnUnreadStoreSaysWhatToDo(t *testing.T) {
	require.Equal(t, "The store cannot be read: timeout", unreadStore(errors.New("timeout")))
	require.Equal(t, "The store cannot be read: not allowed. Ask for the role: kubectl create",
		unreadStore(&source.RefusedError{Text: "not allowed.", Next: "Ask for the role: kubectl create"}))
}
