//go:build never

// Package kn pins the dependencies while the first packages land.
package kn

import (
	_ "connectrpc.com/connect"
	_ "connectrpc.com/vanguard"
	_ "github.com/bmatcuk/doublestar/v4"
	_ "github.com/bufbuild/protocompile"
	_ "github.com/bufbuild/protocompile/linker"
	_ "github.com/bufbuild/protocompile/reporter"
	_ "github.com/cloudevents/sdk-go/v2/binding"
	_ "github.com/cloudevents/sdk-go/v2/client"
	_ "github.com/cloudevents/sdk-go/v2/protocol/http"
	_ "github.com/fsnotify/fsnotify"
	_ "github.com/goccy/go-yaml"
	_ "github.com/goccy/go-yaml/parser"
	_ "github.com/joho/godotenv"
	_ "github.com/mattn/go-isatty"
	_ "github.com/prometheus/client_golang/prometheus"
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
	_ "github.com/rogpeppe/go-internal/testscript"
	_ "github.com/spf13/cobra"
	_ "github.com/stretchr/testify/require"
	_ "golang.org/x/mod/modfile"
	_ "golang.org/x/sync/errgroup"
	_ "google.golang.org/genproto/googleapis/api/annotations"
	_ "google.golang.org/genproto/googleapis/rpc/status"
	_ "google.golang.org/grpc"
	_ "google.golang.org/grpc/health"
	_ "google.golang.org/grpc/reflection"
	_ "google.golang.org/grpc/encoding/gzip"
	_ "google.golang.org/protobuf/proto"
	_ "google.golang.org/protobuf/compiler/protogen"
	_ "google.golang.org/protobuf/cmd/protoc-gen-go/internal_gengo"
	_ "krt.dev/kn-krt/pkg/runner/event"
	_ "modernc.org/sqlite"
)
