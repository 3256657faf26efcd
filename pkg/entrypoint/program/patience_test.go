package program

import "time"

// A store whose disk is busy saves nothing within the two seconds that are left to it elsewhere.
func init() { saveLimit = time.Minute }
