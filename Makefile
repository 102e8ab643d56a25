# goodhour: `make build` builds it, `make test` proves it, `make help` lists the rest.
# Needs Go and a C compiler; what the heavier checks need besides, they install.

GO       ?= go
TAGS     ?= duckdb_arrow
GOFLAGS  += -trimpath
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
FILE     ?= data/goodhour.duckdb
OUT      ?= data/engagement.ipynb
DEMO_DIR ?= data-demo
TOOL     := $(GO) tool -modfile=.ci/tools.mod
export GOFLAGS

.DEFAULT_GOAL := help
.PHONY: help demo build charts test race check fmt fmt-check vet lint bench kafka-test kafka-libs cdnow cdnow-test soak \
        pages-test demo-check notebook-venv notebook notebook-test clients-test fuzz hooks clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: charts build ## the whole loop on an invented world, with the dashboard, until Ctrl-C
	bin/goodhour demo

charts: ## get the pages' chart library (needs npm; without it pages show tables)
	@api/web/fetch.sh charts || echo "The pages will show tables instead of charts."

build: ## build bin/goodhour
	$(GO) build -tags $(TAGS) -ldflags "-X main.version=$(VERSION)" -o bin/goodhour ./cmd/goodhour

test: build ## run the tests (Go and a C compiler are enough)
	$(GO) test -tags $(TAGS) -shuffle=on -timeout 20m ./...

race: ## run the tests under the race detector
	$(GO) test -tags $(TAGS) -race -timeout 30m ./...

kafka-libs: ## get the jars of Apache Kafka for the tests (needs mvn and Java 17)
	$(GO) test -tags $(TAGS),kafka -run TestJars -count=1 ./ingest/kafkatest

kafka-test: ## run the tests that need a real Apache Kafka (needs mvn and Java 17)
	$(GO) test -tags $(TAGS),kafka -count=1 -timeout 40m -v -run Kafka ./ingest/... ./cmd/...

cdnow: testdata/cdnow/CDNOW_master.txt ## get CDNOW's 69,659 orders from the PyPI package lifetimes (needs python3 with pip)

CDNOW_SHA256 := eff6889ed364c5199d6eacbbeb7a6d559971df4406ac876f322c373f00a072ef

testdata/cdnow/CDNOW_master.txt:
	@mkdir -p testdata/cdnow
	python3 -m pip download --quiet --no-deps --dest testdata/cdnow lifetimes==0.11.3
	@cd testdata/cdnow && python3 -m zipfile -e *.whl wheel && cp wheel/lifetimes/datasets/CDNOW_master.txt . && rm -r wheel *.whl
	@echo "$(CDNOW_SHA256)  $@" | sha256sum --check --quiet || { rm $@; exit 1; }

cdnow-test: cdnow ## check the published figures of CDNOW, through a real Apache Kafka too
	$(GO) test -tags $(TAGS),cdnow,kafka -count=1 -v -run CDNOW ./ingest/fileimport ./cmd/goodhour

soak: ## serve, a producer, eight readers and a wild model for two minutes
	$(GO) test -tags $(TAGS),soak -count=1 -v -timeout 10m -run TestSoak ./cmd/goodhour

check: fmt-check vet lint ## formatting, vet, lint

fmt: ## format the Go code
	$(TOOL) golangci-lint fmt

fmt-check: ## fail where the Go code is not formatted
	$(TOOL) golangci-lint fmt --diff

vet: ## go vet, with every build tag
	$(GO) vet -tags $(TAGS),kafka,cdnow,soak,chromium ./...

lint: ## golangci-lint (.golangci.yml)
	$(TOOL) golangci-lint run --build-tags $(TAGS),kafka,cdnow,soak,chromium ./...

bench: ## print the benchmarks' figures
	$(GO) test -tags $(TAGS) -run '^$$' -bench . -benchtime 1x -timeout 30m ./ingest ./warehouse

demo-check: charts build ## run the demo to its end and check its promises (DEMO_DIR names the directory)
	bin/goodhour demo --check --data $(DEMO_DIR)

pages-test: charts ## look at every page in a real Chromium (needs chromium)
	api/web/fetch.sh axe
	$(GO) test -tags $(TAGS),chromium -count=1 -v -timeout 15m -run TestChromium ./api/web

notebook-venv: .venv/installed ## get what the notebook needs into .venv (needs python3 with venv)

.venv/installed: notebooks/requirements.txt
	python3 -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement notebooks/requirements.txt
	@touch $@

notebook: notebook-venv ## execute the notebook on FILE into OUT
	.venv/bin/python notebooks/run.py $(FILE) $(OUT)

notebook-test: build notebook-venv ## execute the notebook on data made here
	.venv/bin/python notebooks/test.py bin/goodhour

.venv-clients/installed: examples/clients/requirements.txt
	python3 -m venv .venv-clients
	.venv-clients/bin/python -m pip install --quiet --disable-pip-version-check --requirement examples/clients/requirements.txt
	@touch $@

clients-test: build .venv-clients/installed ## open the published file as the README says, while it is replaced (needs python3 with venv)
	.venv-clients/bin/python examples/clients/test.py bin/goodhour

fuzz: ## fuzz every parser of outside bytes for 20 seconds each
	@for pkg in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime 20s $$pkg || exit 1; \
	  done; \
	done

hooks: ## check the formatting before each commit
	git config core.hooksPath .ci/hooks

clean: ## remove what was built
	rm -rf bin
