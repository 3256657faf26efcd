package hostile

import "context"

// watchers open 1,000 streams of Health/Watch on each of 20 connections.
func watchers(ctx context.Context, t *target) string {
	each(20, func(int) {
		c, err := dial(ctx, t.grpc, false)
		if err != nil {
			return
		}
		defer c.Close()
		for range 1000 {
			stream, err := c.open("/grpc.health.v1.Health/Watch")
			if err != nil {
				return
			}
			_ = c.framer.WriteData(stream, true, message(0, 0, nil))
		}
		<-ctx.Done()
	})
	return "1,000 streams of Health/Watch on each of 20 connections"
}
