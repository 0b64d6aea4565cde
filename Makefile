# Everything a developer types. `make` alone lists the targets.

SHELL         := /bin/bash
.SHELLFLAGS   := -euo pipefail -c
.DEFAULT_GOAL := help

GO       ?= go
FUZZTIME ?= 20s
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

# The linter is built once for each version of it and of Go.
LINTER = bin/tools/golangci-lint-$(shell { cat tools/go.sum; $(GO) env GOVERSION; } | cksum | cut -d' ' -f1)

.PHONY: help build run demo test test-short lint fuzz bench faults attacks e2e readme cover needs clean

help: ## list the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build bin/portico
	$(GO) build -trimpath -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION)' -o bin/portico ./cmd/portico

run: demo ## the same as demo

demo: ## serve a seeded installation on http://127.0.0.1:8010, in a temporary folder
	$(GO) run ./cmd/portico demo

test: needs ## every test, with the race detector, in random order
	CGO_ENABLED=1 $(GO) test -race -shuffle=on -timeout 30m ./...

test-short: ## every test that is quick, without the race detector
	$(GO) test -short -timeout 10m ./...

lint: $(LINTER) ## gofmt, go vet, and every linter of .golangci.yaml (staticcheck and gosec among them)
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not gofmt'd:"; echo "$$unformatted"; exit 1; }
	$(GO) vet ./...
	$(LINTER) run
	cd e2e && ../$(LINTER) run

$(LINTER): tools/go.mod tools/go.sum
	@echo "building golangci-lint, once: two to four minutes on two cores"
	@mkdir -p bin/tools && rm -f bin/tools/golangci-lint-*
	cd tools && $(GO) build -trimpath -buildvcs=false -o ../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

fuzz: ## run each fuzz target for FUZZTIME (20s)
	@GO='$(GO)' FUZZTIME='$(FUZZTIME)' .ci/fuzz

bench: ## measure beside the bare floor and write docs/benchmarks.md (up to an hour)
	$(GO) test -count=1 -timeout 80m -run '^TestRatios$$' ./internal/bench -args -ratios -write

faults: needs ## every fault at full length, one line a case (some hours)
	@{ $(GO) test -count=1 -timeout 4h -v ./internal/faults -args -full; \
	   $(GO) test -count=1 -v -run '^Test(BackendKilled|OneVerifiedClaim)$$' ./internal/store ./internal/store/postgres; } 2>&1 | .ci/cases

attacks: needs ## every attack at full length, one line a case
	@{ $(GO) test -count=1 -timeout 80m -v ./internal/attacks -args -full; \
	   $(GO) test -count=1 -v -run '^Test((Console)?Matrix|EndedOnTheOtherNode|Audience)$$' ./internal/wiretest ./internal/auth; } 2>&1 | .ci/cases

e2e: ## flows in a browser, and clients that generators made, against a demo (needs chromium, node)
	@.ci/needs e2e
	cd e2e && $(GO) vet . && $(GO) test -count=1 -timeout 20m .

readme: build ## run the commands of README.md against a demo server
	@.ci/readme-test
	@.ci/readme README.md

cover: ## test coverage: bin/coverage.html, and a line for each package
	@mkdir -p bin
	$(GO) test -short -timeout 20m -coverpkg=./... -coverprofile=bin/coverage.out ./...
	$(GO) tool cover -html=bin/coverage.out -o bin/coverage.html
	@$(GO) tool cover -func=bin/coverage.out | tail -n 1

needs: ## install what the tests call (as root on Debian), or name what is missing
	@.ci/needs

clean: ## remove bin/ and cached test results
	rm -rf bin
	$(GO) clean -testcache
