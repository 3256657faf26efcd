package picture

import "krt.dev/kn-krt/pkg/dashboard/source"

// State is how a state is shown: by colour and by word; pictures also have a shape for each.
type State struct {
	// Class is the class that gives an element the state's colour: "state-" and its name.
	Class string
	// Name is the state's, or "stopped" if there is no such state.
	Name source.State
	// Word is for people.
	Word string
}

// Of returns how a state is shown. One that is not known is shown as stopped.
func Of(s source.State) State {
	switch s {
	case source.Ready, source.Starting, source.Asleep, source.Failed, source.Stopping:
	default:
		s = source.Stopped
	}
	return State{Class: "state-" + string(s), Name: s, Word: string(s)}
}
