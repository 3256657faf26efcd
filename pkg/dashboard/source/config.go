package source

import "context"

// Configs have the config variables and files of versions, without showing a value. It is a part
// of [Source].
type Configs interface {
	// Config returns what the version's manifest declares, in its order.
	Config(ctx context.Context, ref Ref) ([]ConfigEntry, error)
	// SetConfig sets values by name, and removes those of the names in unset. Only declared names
	// are accepted; other names, and values that are too large, are a [*RefusedError].
	SetConfig(ctx context.Context, ref Ref, set map[string][]byte, unset []string) error
}

// ConfigEntry is a variable or a file that a manifest declares.
type ConfigEntry struct {
	Name string
	// File says that the value is the content of a file.
	File bool
	// Set says that it has a value.
	Set bool
}
