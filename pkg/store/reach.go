package store

import (
	"context"
	"log/slog"
	"time"
)

// reachPatience bounds how long the start of a store waits for a database.
const reachPatience = 5 * time.Second

// Reach asks a database that was just opened whether it can be used. One that does not respond
// yet, or refuses, is logged: requests fail until it responds. Other errors are returned.
func Reach(ctx context.Context, ask func(context.Context) error, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, reachPatience)
	defer cancel()
	err := ask(ctx)
	if IsUnavailable(err) {
		log.Warn("the database cannot be used yet", "error", err)
		return nil
	}
	return err
}
