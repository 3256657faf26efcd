package entrypoint

import "time"

// On a busy machine what is quick elsewhere takes longer.
func init() { forcedTime, connectTime = 20*time.Second, 20*time.Second }
