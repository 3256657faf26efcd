package metrics

// Why a reply was dropped.
const (
	DropNoEvent    = "no_event"
	DropNoToken    = "no_token"
	DropForged     = "bad_token"
	DropLate       = "late"
	DropDuplicate  = "duplicate"
	DropForward    = "forward_failed"
	DropUnreadable = "unreadable"
)

// DropReasons are all reasons for which a reply is dropped.
func DropReasons() []string {
	return []string{DropNoEvent, DropNoToken, DropForged, DropLate, DropDuplicate, DropForward, DropUnreadable}
}
