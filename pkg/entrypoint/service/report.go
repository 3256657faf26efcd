package service

import (
	"slices"

	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// Report sets which services there are now in the health service, where there were others before.
func Report(server *health.Server, before, now []string) {
	for _, name := range before {
		if !slices.Contains(now, name) {
			server.SetServingStatus(name, grpc_health_v1.HealthCheckResponse_SERVICE_UNKNOWN)
		}
	}
	for _, name := range now {
		server.SetServingStatus(name, grpc_health_v1.HealthCheckResponse_SERVING)
	}
}
