# The manual: `just` shows it. Nothing here is needed to build or to test; `pip install rust-just` brings `just`.

_:
    @just --list --unsorted

# Whatever CI can fail on
ci *steps:
    ./scripts/test {{ steps }}

# Tests of the libraries and of the binary
test *arguments:
    cargo test --workspace {{ arguments }}

# Format all that is ours
format:
    cargo fmt --all
    "$(scripts/tools taplo==0.9.3)/taplo" fmt

# Case files against the implementation
conformance:
    ./scripts/test conformance

# A Kubernetes on this machine: install, up [NODES], load ARCHIVE…, test, down, and more; see tests/cluster/README.md
cluster *arguments:
    @{{ if arguments == "test" { "./scripts/test cluster" } else { "tests/cluster/cluster " + arguments } }}

# The example a newcomer meets
quickstart:
    cargo run --release -- run examples/quickstart.yaml --content examples/quickstart

# Figures with their baselines; `just bench --write` puts them into docs/performance.md
bench *arguments:
    ./scripts/bench {{ arguments }}

# Figures on the cluster of KUBECONFIG, beside bare Jobs there; `--write` puts them into docs/performance.md
bench-kube *arguments:
    ./scripts/bench-kube {{ arguments }}

# Crashes at random moments, over and over: the property tests with many cases, then the tests of the real binary
soak cases="5000" rounds="20":
    TESTUDO_SOAK={{ cases }} cargo test --release --package testudo-engine
    for round in $(seq {{ rounds }}); do echo "round $round"; ./scripts/test e2e || exit 1; done

# Known holes in what we depend on; builds cargo-audit where the machine has not got it
audit:
    cargo audit --version >/dev/null 2>&1 || cargo install --locked cargo-audit
    cargo audit
