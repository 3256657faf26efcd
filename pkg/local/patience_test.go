package local

import "time"

// On a busy machine, requests, nodes, pages and what is saved at the end may take longer than a user is to wait.
func init() { drainTime, stopTime, frontPatience = time.Minute, time.Minute, time.Minute }
