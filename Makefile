# Everything a user or a developer does is a target here: `make help`.
SHELL := /bin/bash
.DELETE_ON_ERROR:

# OpenCV without pkg-config, and only the modules that are used (camera/opencv).
export CGO_CPPFLAGS ?= -I$(CURDIR)/camera/opencv -I/usr/include/opencv4
export CGO_LDFLAGS  ?= -lopencv_core -lopencv_imgproc -lopencv_imgcodecs -lopencv_videoio
export GOFLAGS      := -buildvcs=false -tags=customenv,gocv_specific_modules,gocv_videoio
export INSPECTOR_ONNXRUNTIME ?= $(CURDIR)/.cache/onnxruntime/libonnxruntime.so.1.24.3

ARGS ?=

.PHONY: help run build setup onnxruntime test test-setup lint bench bench-delivery bench-model bench-workflow matprofile proof soak fuzz temporal train picture graphs conformance env clean

help: ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: build ## install what is missing, build, and inspect a simulated line
	./bin/inspector run $(ARGS)

build: setup onnxruntime ## the program, in bin/
	@mkdir -p bin/lib && ln -sf ../../.cache/onnxruntime/libonnxruntime.so.1.24.3 bin/lib/
	go build -trimpath -ldflags "-X main.revision=$$(git describe --tags --always --dirty 2>/dev/null || echo unknown)" -o bin/inspector ./cmd/inspector

setup: ## Debian and Ubuntu packages to build and run (only what is missing)
	@scripts/setup.sh run

onnxruntime: ## the fast runtime's shared library, checked by sha256
	@scripts/onnxruntime.sh || echo "no ONNX Runtime: the slower pure Go runtime (onnx-go) is used"

test-setup: setup onnxruntime
	@scripts/setup.sh test
	@scripts/tools.sh

test: test-setup ## everything that proves it, with real components
	INSPECTOR_REQUIRE_TOOLS=1 go test -race -shuffle=on -timeout 15m ./...

matprofile: build ## no OpenCV matrix leaks over 10,000 frames
	go test -tags customenv,gocv_specific_modules,gocv_videoio,matprofile -run 'MatProfile|Leak' -v ./camera ./classify ./board

lint: ## go vet, golangci-lint, and workflowcheck: nothing that Temporal replays depends on clock or chance
	go vet ./...
	GOFLAGS=-buildvcs=false go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 run --build-tags customenv,gocv_specific_modules,gocv_videoio
	GOFLAGS=-buildvcs=false go run go.temporal.io/sdk/contrib/tools/workflowcheck@v0.6.0 -config scripts/workflowcheck.yaml ./workflow/temporal

bench: build ## speed and memory, as ratios against a baseline in the same run
	go test -run '^$$' -bench . -benchmem ./board ./camera ./classify ./model/... ./store ./workflow/... ./notify ./upstream ./cmd/inspector

bench-workflow: setup ## the workflow engine: transitions, executions that wait, cost with a million stored (COUNT=5)
	go test -run '^$$' -bench . -benchmem -count $(or $(COUNT),1) ./workflow/asl
	go test -run '^$$' -bench Workflow -benchtime 3x -timeout 30m ./store
	go test -run '^$$' -bench . -benchtime 1x -timeout 30m ./workflow/temporal

bench-delivery: test-setup ## the way out with a real broker and S3: alerts beside a drain, drains beside bare loops, boards that wait
	go test -run '^$$' -bench 'AlertBesideDrain|DrainObjects|DrainMessages|QueuedBoards|LineBesideQueue' -benchtime $(or $(COUNT),1)x -timeout 30m ./cmd/inspector

bench-model: build ## what a board costs on each runtime, and in Python beside them (ARGS="-rounds 5")
	@scripts/setup.sh bench
	go run ./models/bench $(ARGS)

proof: test-setup ## every fault of the network at every moment, with real targets and restarts: all arrives (two minutes; INSPECTOR_PROOF=half-open: those only)
	INSPECTOR_PROOF=$(or $(INSPECTOR_PROOF),all) go test -v -count 1 -timeout 30m ./cmd/inspector/proof

soak: build ## longer proof: an hour of simulated work, power cuts (as root: they mount images)
	@scripts/setup.sh soak
	INSPECTOR_SOAK=1h go test -run 'Soak|PowerCut|EveryPoint' -timeout 3h -v ./cmd/inspector ./store
	INSPECTOR_SOAK_BOARDS=$(or $(BOARDS),200000) INSPECTOR_SOAK_KILLS=$(or $(KILLS),200) go test -run SoakDelivery -timeout 12h -v ./cmd/inspector/proof

fuzz: ## each fuzz target for a while (FUZZTIME=30s)
	@scripts/fuzz.sh

temporal: ## executions on a real Temporal dev server, which it installs (four minutes of one core, once), and how fast that is
	@scripts/tools.sh temporal
	go test -run 'Elsewhere|Human|Client|Replay|Continues|Secured' -v -bench . -benchtime 20s ./workflow/temporal
	go test -run HandOver -v ./cmd/inspector

train: build ## draw boards and train the built-in model anew (40 minutes of two cores; STEPS=, OUT=)
	$(MAKE) -f models/train/Makefile

picture: build ## the README's picture of the page
	INSPECTOR_PICTURE=$(CURDIR)/docs/page.png go test -ldflags "-X inspector/cmd/inspector.revision=$$(git describe --tags --always 2>/dev/null || echo unknown)" -run PageShows ./cmd/inspector

graphs: ## the pictures of docs/workflow.md
	INSPECTOR_GRAPHS=write go test -count 1 -run WorkflowPictures ./cmd/inspector

conformance: ## one table of what was recorded elsewhere and is the same here (INSPECTOR_CORPORA); FULL=1: big networks, with PyTorch
	$(if $(FULL),/usr/bin/python3 -B model/testdata/zoo.py --full --out .cache/zoo)
	$(if $(FULL),INSPECTOR_ZOO=$(CURDIR)/.cache/zoo) go test -run Zoo -timeout 30m $(if $(FULL),-v) ./classify
	$(if $(FULL),$(MAKE) exports)
	go run ./scripts/conformance ./workflow/asl ./notify/pattern ./notify/rule ./notify/sparkplug ./workflow/temporal

# Networks in full size as torchvision, ultralytics and anomalib write them. EXPORTS_PYTHON is a Python that has them.
EXPORTS_PYTHON ?= .cache/exports-python/bin/python
.PHONY: exports
exports: $(EXPORTS_PYTHON)
	$(EXPORTS_PYTHON) -B model/testdata/exports.py .cache/exports
	INSPECTOR_EXPORTS=$(CURDIR)/.cache/exports go test -run Exports -timeout 30m -v ./cmd/inspector

.cache/exports-python/bin/python:
	python3 -m venv .cache/exports-python
	.cache/exports-python/bin/pip install --quiet -r model/testdata/exports.txt

env: ## what go commands need outside make: eval "$(make -s env)"
	@echo 'export CGO_CPPFLAGS="$(CGO_CPPFLAGS)" CGO_LDFLAGS="$(CGO_LDFLAGS)" GOFLAGS="$(GOFLAGS)" INSPECTOR_ONNXRUNTIME="$(INSPECTOR_ONNXRUNTIME)"'

clean:
	rm -rf bin .cache .tools
