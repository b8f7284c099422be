# `make up` and `make test` are all that a fresh machine needs; the rest is for daily work.
# Needed beforehand: a Rust toolchain, Python 3 with pip, a C++ compiler.

DATA ?= .tributary/data/ml-100k
PORT ?= 7000
VENV := .tools/python
ONNXRUNTIME := .tools/onnxruntime/libonnxruntime.so
PYTHON := $(VENV)/bin/python
BUF := $(VENV)/bin/buf

export ORT_DYLIB_PATH := $(CURDIR)/$(ONNXRUNTIME)

# Of `make bench-train`.
INTERACTIONS ?= 1000000
ITEMS ?= 50000
USERS ?= 20000
WORK ?= .tributary/bench-train

.PHONY: help up test test-mysql lint bench bench-live bench-store bench-train chaos pipeline quality build data tools servers python \
	clean-state

help:
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*## /\t/' | sort | column -t -s "$$(printf '\t')"

up: tools $(if $(filter .tributary/data/ml-100k,$(DATA)),data) ## Build, train where needed, start every process, show a list
	cargo build --release --workspace --bins
	target/release/tributary up --data $(DATA) --port $(PORT)

test: tools data servers python ## Every test: units, services, end to end
	cargo build --workspace --all-targets
	TRIBUTARY_PYTHON=$(CURDIR)/$(PYTHON) TRIBUTARY_BUF=$(CURDIR)/$(BUF) \
		TRIBUTARY_GRPCURL=$(CURDIR)/.tools/grpcurl cargo test --workspace

test-mysql: tools servers .tools/mysql/ready ## The tests of ingest, with what only MySQL has, against MySQL
	TRIBUTARY_MYSQLD=$(CURDIR)/.tools/mysql/mysqld \
		cargo test -p tributary-ingest --test it -- --include-ignored

lint: python ## Formatting, clippy, buf lint
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cd proto && $(CURDIR)/$(BUF) lint

bench: tools data ## Latency, memory and kernels, each against its baseline in the same run
	cargo build --release --workspace --bins
	target/release/bench --data $(DATA)

bench-live: tools data servers ## From a commit in MariaDB to the answer: 200 trials, the distribution
	cargo build --release --workspace --bins
	target/release/bench-live

pipeline: tools data servers ## MariaDB, ingest, export, train, gate, publish, swap: under load
	cargo build --release --workspace --bins
	target/release/pipeline $(DATA)

chaos: tools servers ## 100,000 row changes while ingest, feature and Redis are killed; then compared row by row
	cargo build --workspace --bins
	TRIBUTARY_CHAOS_CHANGES=100000 cargo test -p tributary-e2e --test e2e chaos -- --nocapture

quality: tools data ## Every model on MovieLens 100K, random split, mean of three seeds
	cargo build --release --workspace --bins
	target/release/trainer quality --data .tributary/data/ml-100k \
		--config services/trainer/quality/ml-100k.toml --work .tributary/quality

bench-store: servers ## feature on Redis: GetUserContext at a fixed rate, memory a user
	cargo build --release -p tributary-feature
	target/release/bench-store

bench-train: tools ## Training of every model on synthetic data: interactions/s and peak memory
	cargo build --release --workspace --bins
	target/release/trainer synthesise --users $(USERS) --items $(ITEMS) --events $(INTERACTIONS) \
		--out $(WORK)/data
	target/release/trainer prepare --data $(WORK)/data --work $(WORK)/work
	target/release/bench-train --work $(WORK)/work

build: ## Release binaries
	cargo build --release --workspace --bins

tools: $(ONNXRUNTIME) ## ONNX Runtime

$(ONNXRUNTIME):
	scripts/fetch-onnxruntime.sh $(dir $@)

servers: ## Redis and MariaDB, of which the tests start private instances
	scripts/install-servers.sh

.tools/mysql/ready:
	scripts/fetch-mysql.sh .tools/mysql

data: .tributary/data/ml-100k/ml-100k.inter ## MovieLens 100K, the sample data

.tributary/data/ml-100k/ml-100k.inter:
	scripts/fetch-movielens-100k.sh $(dir $@)

python: .tools/python/ready .tools/grpcurl ## Clients that the tests use: grpcio, buf, grpcurl

.tools/python/ready: scripts/requirements.txt
	scripts/fetch-python.sh $(VENV)

.tools/grpcurl:
	scripts/fetch-grpcurl.sh .tools

clean-state: ## Remove the running mesh's state (bundles, store, logs), not the data
	rm -rf .tributary/ml-100k
