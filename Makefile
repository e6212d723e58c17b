# Everything a developer or CI runs. Needs Rust, Python 3.11 or newer with venv, and make.

PYTHON ?= python3
VENV := .venv
IOTA := target/release/iota

.PHONY: build demo test lint deploy-lint fmt unit python rules readme docs fuzz deny soundness clean

build:
	cargo build --release --locked

# The main job on real records, from a fresh checkout.
demo: build
	$(IOTA) run testdata/real-cloudtrail.jsonl --rules rules/aws_cloudtrail --format table --log-format human

# All checks. What takes long on purpose (fuzzing, large files) has commands of its own: docs/DEVELOPMENT.md.
test: lint deploy-lint unit python docs fuzz rules readme

lint: $(VENV)/ready
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	$(VENV)/bin/typos
	@# The engine is pure: nothing that reaches the network or the clock may get into it.
	@! cargo tree --locked -p iota-engine -e normal --prefix none | grep -E '^(tokio|aws-|reqwest|hyper|rustix|tempfile) '

# The image's recipe and the manifests; that the binary takes their flags is a test (crates/iota/tests/s3/deployment.rs).
deploy-lint: $(VENV)/ready
	$(VENV)/bin/hadolint deploy/Dockerfile
	$(VENV)/bin/kubernetes-validate --strict --quiet deploy/kubernetes/*.yaml

fmt:
	cargo fmt --all

unit: $(VENV)/ready
	tools/syslog_servers.sh
	cargo test --workspace --locked

python:
	$(PYTHON) -P -s -B -m unittest discover -s python/tests -t python

rules: build
	$(IOTA) check --strict rules/aws_cloudtrail testdata/panther_pack
	$(IOTA) test rules/aws_cloudtrail testdata/panther_pack testdata/rules

# Every command of the README, as typed.
readme: build
	PATH="$(CURDIR)/target/release:$$PATH" $(PYTHON) tools/readme_commands.py README.md

docs:
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

# The targets are built with stable; with a nightly toolchain and cargo-fuzz (fuzz/README.md) they also run for a while.
fuzz:
	cargo check --locked --manifest-path fuzz/Cargo.toml --target-dir target/fuzz
	@if cargo +nightly fuzz --version >/dev/null 2>&1; then \
		for target in decode json_scan guard; do cargo +nightly fuzz run $$target -- -max_total_time=20 || exit 1; done; \
	else echo "cargo-fuzz is not installed: the fuzz targets were built and not run"; fi

# Licences, known weaknesses and origin of every dependency (deny.toml). Not part of `test`: it asks the network for
# advisories, and where cargo-deny is missing, building it takes minutes.
deny:
	cargo deny --version >/dev/null 2>&1 || cargo install --locked cargo-deny
	cargo deny --locked check

# Looks for pairs that are skipped although they must not be: 5 million over mutated records, then generated rules.
# Not part of `test`, which runs it in small.
soundness: build
	$(PYTHON) tools/soundness.py --pairs 5000000
	$(PYTHON) tools/soundness.py --generated 20000

$(VENV)/ready: requirements-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

clean:
	cargo clean
	rm -rf $(VENV)
