// Package telemetry records the traces of requests: it decides which are recorded, makes
// OpenTelemetry spans of a request's record when the client has its response, and sends them
// to a collector. Nothing of it but the choice of ids is done while a request is processed.
package telemetry
