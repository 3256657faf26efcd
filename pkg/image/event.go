package image

import "time"

// EventType is what happens to a node's image.
type EventType string

// What happens to a node's image, in order.
const (
	// EventBuilding: its Go program is built.
	EventBuilding EventType = "building"
	// EventInstalling: its Python requirements are fetched.
	EventInstalling EventType = "installing"
	// EventDownload: Text is what the build downloads.
	EventDownload EventType = "download"
	// EventWarning: Text is what may keep the node from running.
	EventWarning EventType = "warning"
	// EventPushing: the image is made and goes to the registry.
	EventPushing EventType = "pushing"
	// EventDone: it is there.
	EventDone EventType = "done"
)

// Event is something that happened to a node's image.
type Event struct {
	Type EventType
	Node string
	Text string
	// Image is the image's reference by digest; of EventDone.
	Image string
	// Size is the number of bytes, compressed, of the layers above the base, for all
	// platforms; of EventPushing and EventDone.
	Size int64
	// Sent is how many bytes of layers went to the registry: 0 when all were there.
	Sent int64
	// Elapsed is the time since the node's turn came; of EventDone.
	Elapsed time.Duration
}
