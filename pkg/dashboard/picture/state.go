package picture

import "krt.dev/kn-krt/pkg/dashboard/source"

// State is how a state is shown: by colour, by shape and by word.
type State struct {
	// Class is the class that gives an element the state's colour: "state-" and its name.
	Class string
	// Name is the state's, or "stopped" if there is no such state.
	Name source.State
	// Word is for people.
	Word string
	// Glyph is a character for texts; pictures have shapes.
	Glyph string
}

// Of returns how a state is shown. One that is not known is shown as stopped.
func Of(s source.State) State {
	shown := State{Name: s, Word: string(s)}
	switch s {
	case source.Ready:
		shown.Glyph = "●"
	case source.Starting:
		shown.Glyph = "◌"
	case source.Asleep:
		shown.Glyph = "☾"
	case source.Failed:
		shown.Glyph = "✕"
	case source.Stopping:
		shown.Glyph = "◔"
	default:
		shown = State{Name: source.Stopped, Word: string(source.Stopped), Glyph: "■"}
	}
	shown.Class = "state-" + string(shown.Name)
	return shown
}
