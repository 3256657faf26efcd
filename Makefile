# One place for everything that is run in this repository: `make help`.
SHELL := /bin/bash -euo pipefail
.DEFAULT_GOAL := help
export KO_CONFIG_PATH := ko.yaml
# Go needs a home folder for its caches; a machine without one gets it here.
export HOME := $(or $(strip $(HOME)),$(CURDIR)/.cache/home)

VCS    := $(shell git rev-parse HEAD >/dev/null 2>&1 || echo -buildvcs=false)
# One way to compile for builds, lint, vet and the tests on a cluster, so that they share Go's cache. The race detector
# needs a C compiler and has its own; binaries contain the commit they were built from, if git knows it.
flags := $(or $(GOFLAGS),$(shell go env GOFLAGS 2>/dev/null))
override GOFLAGS     := $(strip $(flags) $(if $(findstring -trimpath,$(flags)),,-trimpath))
override CGO_ENABLED := 0
export GOFLAGS CGO_ENABLED
RACE   := $(shell command -v $${CC:-gcc} >/dev/null 2>&1 && echo -race)
GOTEST := $(if $(RACE),CGO_ENABLED=1) go test $(RACE)
PYTHON := tools/python.sh
WITH_PYTHON = if python=$$($(PYTHON) 2>/dev/null); then export KRT_PYTHON=$$python; fi
# The versions in functions/, our Go modules whose tests need no cluster, and those to lint (kube would compile Kubernetes).
FUNCTIONS := $(patsubst %/krt.yml,%,$(wildcard functions/*/krt.yml))
MODULES   := . pkg/runner test/cluster/knative test/cluster/gateway
LINTED    := $(MODULES) test/cluster/conformance test/cluster/coredns test/store/testdata/ferretdb
.PHONY: $(shell awk -F: '/^[a-z0-9-]+:/ { print $$1 }' Makefile) bin/cluster

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

deps: ## Install what is missing: python3 with protobuf (apt as root, else a .venv)
	@$(PYTHON) >/dev/null || echo "Continuing without Python: Python nodes and their tests are left out."

build: ## Build bin/kn-krt, bin/entrypoint and bin/runner
	@echo "Building the programs in bin/ (the first time takes a minute)"; go build $(VCS) -o bin/ ./cmd/...

# The build tag "local" leaves out the commands for a cluster, and with them 640 of 1,140 packages.
run: deps ## Run functions/price-estimator on this machine (without Python: functions/chain)
	@echo "Downloading the Go modules that a local run needs"
	@go list -tags local -deps ./cmd/kn-krt 2> >(grep -v '^go: downloading' >&2) >/dev/null
	@echo "Compiling bin/local/kn-krt (the first time takes a minute)"
	@go build $(VCS) -tags local -o bin/local/ ./cmd/kn-krt
	@if python=$$($(PYTHON) 2>/dev/null); then echo "Starting functions/price-estimator"; \
		KRT_PYTHON=$$python exec bin/local/kn-krt run functions/price-estimator --set OUTPUT_PRICE_CURRENCY=EUR; \
	else echo "No Python with protobuf found: starting functions/chain, which is in Go"; exec bin/local/kn-krt run functions/chain; fi

# All are tested, also after a failure, and what has failed is listed at the end.
TESTS = $(WITH_PYTHON); RACE=$(RACE) tools/test.sh $(MODULES) -- $(FUNCTIONS)
test: deps build ## Run all tests that need no cluster (race detector), then every function's own
	@$(TESTS)
test-all: deps build bin/cluster ## Run what make test, test-api and test-tracing run, compiled and linked once, as .ci/run does
	@$(TOOLS); $(HELM); jaeger=$$(bin/cluster tool jaeger); export KRT_JAEGER=$$jaeger; $(TESTS)

bin/cluster: ; @go build $(VCS) -o $@ ./test/cluster
cluster: bin/cluster ## Start a cluster with Knative for the tests (root on Linux; the first time takes 11 minutes)
	@bin/cluster up
cluster-down: bin/cluster ## Stop that cluster and remove all of it
	@bin/cluster down
# On the cluster that both variables name, else on ours, which is started first.
OURS := $(if $(and $(KUBECONFIG),$(KO_DOCKER_REPO)),,cluster)
e2e: $(OURS) ## Run test/e2e and the conformance cases on that cluster, or on yours: KUBECONFIG=... KO_DOCKER_REPO=... make e2e
	@KRT_E2E=1 go test $(if $(OURS),-exec '$(CURDIR)/bin/cluster exec --') -parallel 4 -count=1 -timeout 45m ./test/e2e/... ./test/conformance
LONG = KRT_E2E=1 KRT_E2E_LONG=1 go test -v -p 1 -count=1 -timeout 90m -exec '$(CURDIR)/bin/cluster exec --'
e2e-long: cluster ## Run the long tests there, with a report in bin/report; ONLY='faults|many': some of test/report/step.go
	@go run ./test/report
e2e-knative: bin/cluster ## Show both deliveries and publishing under load on Knative 1.22, and stop that cluster (8 minutes)
	@export KRT_KNATIVE=1.22; bin/cluster up; trap 'bin/cluster down' EXIT; \
	$(LONG) -run 'Greeter|SequenceReplies|Publish($$|InMid)|Canary$$|Trigger|ScalesToZero' ./test/e2e; \
	$(LONG) -run HundredPublishes ./test/load -publishes 20

TOOLS = kube=$$(bin/cluster tool kube); crds=$$(bin/cluster crds); export KRT_KUBE=$$kube KRT_CRDS=$$crds
HELM  = helm=$$(bin/cluster tool helm); export KRT_HELM=$$helm
test-api: bin/cluster ## Run the tests that need an apiserver and nothing else (no root; builds Kubernetes once)
	@$(TOOLS); $(GOTEST) -count=1 ./test/apiserver/...
	@$(TOOLS); $(HELM); go test -count=1 -run 'Chart|Kustomization' ./pkg/release; $(GOTEST) -count=1 -run OnACluster ./test/browser
test-browser: deps ## Test the dashboard in a real Chromium; SHOTS=docs/images draws the pictures of the docs instead
	@$(WITH_PYTHON); CI=1 go test -count=1 ./test/browser $(if $(SHOTS),-run TestShots -args -shots '$(abspath $(SHOTS))')
test-tracing: deps bin/cluster ## Look at the traces of versions on this machine in a real Jaeger (builds it once, in 3 minutes)
	@$(WITH_PYTHON); jaeger=$$(bin/cluster tool jaeger); KRT_JAEGER=$$jaeger go test -count=1 ./test/tracing
bench-api: bin/cluster ## Measure there what the controller needs to create objects, compared to a plain client
	@$(TOOLS); go test -run '^$$' -bench . -benchtime 1x ./test/bench/creation
site: ## Write the documentation as a web site that works offline to dist/site
	@go run ./test/docs/site/write dist/site && echo dist/site/docs/index.html
bench: deps ## Compare the components to their baselines (flags: BENCH="-case chain -rounds 5")
	@$(WITH_PYTHON); go run ./test/bench $(BENCH)
bench-peers: deps build ## Compare a Python node, and a chain, to what people would use instead (flags: PEERS="-case echo -rounds 5")
	@$(WITH_PYTHON); go run ./test/bench/peers $(PEERS)

# Of a clean commit with that tag; two runs make the same. RELEASE_URL (for krew and Homebrew) and COSIGN_KEY may be given.
release: bin/cluster ## Make dist/ and push the images: VERSION=v0.1.0 KO_DOCKER_REPO=registry.example.com/kn-krt make release
	@ko=$$(bin/cluster tool image); go run ./cmd/release -ko "$$ko" -version '$(VERSION)' -url '$(RELEASE_URL)'

# KRT_RELEASE_BEFORE is the commit or tag of the release from which to upgrade; without it the upgrade is left out.
release-long: cluster ## Make a release twice, compare both, and install, upgrade and remove it on that cluster (4 to 30 minutes)
	@KRT_KO=$$(bin/cluster tool image) go test -v -count=1 -timeout 40m -run Reproducible ./test/release
	@helm=$$(bin/cluster tool helm); export KRT_HELM=$$helm; $(LONG) -run 'Install|Upgrade' ./test/release

# Tools are a Go module of their own; binaries are built again when it changes.
bin/golangci-lint: TOOL := github.com/golangci/golangci-lint/v2/cmd/golangci-lint
bin/controller-gen: TOOL := sigs.k8s.io/controller-tools/cmd/controller-gen
bin/golangci-lint bin/controller-gen: tools/go.mod tools/go.sum
	@echo "Building $@ (once, up to two minutes)"; cd tools && go build -o ../bin/ $(TOOL) && touch ../$@
lint: bin/golangci-lint ## Lint the Go modules
	@for module in $(LINTED); do echo "Linting the Go module in $$module"; \
		(cd $$module && $(CURDIR)/bin/golangci-lint run --config $(CURDIR)/.golangci.yml ./...); done

# The code of pkg/apis first: without it, the rest may not build.
generate: bin/controller-gen ## Generate again: code of pkg/apis with the CRDs and of functions/, and docs/reference
	@tools/apis.sh
	@$(MAKE) --no-print-directory build
	@bin/kn-krt schema > docs/reference/krt.schema.json && go run ./test/docs/generate
	@for function in $(FUNCTIONS); do bin/kn-krt generate $$function; done

verify: build bin/controller-gen ## Check format, vet, generated code, go.mod files, manifests and leftovers
	@echo "gofmt"; files=$$(gofmt -l cmd pkg functions test); test -z "$$files" || { echo "Not formatted: $$files"; exit 1; }
	@for module in $(LINTED); do echo "go vet in $$module"; (cd $$module && go vet ./...); done
	@for module in $(LINTED) tools test/cluster/knative-1.22; do echo "go mod tidy in $$module"; (cd $$module && go mod tidy -diff); done
	@echo "pkg/apis and its CRDs"; tools/apis.sh --check
	@for function in $(FUNCTIONS); do bin/kn-krt validate $$function; bin/kn-krt generate --check $$function; done
	@echo "leftovers"; ! grep -rnE '\b(TODO|FIXME)\b' --include='*.go' --include='*.py' --include='*.md' cmd pkg functions test *.md
