package authentication

import "time"

// The server of a test that holds a fetch lets it go once all clients have come, which takes a busy machine long.
func init() { fetchTime = 5 * time.Minute }
