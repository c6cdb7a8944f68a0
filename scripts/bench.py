"""Measures testudo against what it is made of, in one sitting: each figure stands beside a baseline of the same run.

Standard library only. `scripts/bench` builds the binary and calls this.
"""

import argparse
import hashlib
import json
import os
import pathlib
import re
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- figures: written by `just bench --write` -->", "<!-- end of figures -->"
MARK = b"first-byte-of-this-run"
MEGABYTES = 200
STEPS = 200


class Place:
    """A folder for one measurement: workflows, state, artifacts. Not below /tmp, which units have of their own."""

    def __init__(self, testudo):
        self.testudo = testudo
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="testudo-bench.", dir="/var/tmp"))
        self.env = dict(os.environ, TESTUDO_STATE=str(self.path / "state"), NO_COLOR="1")
        self.env.pop("CI", None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)

    def workflow(self, name, steps):
        """Writes a workflow; JSON is YAML."""
        path = self.path / f"{name}.yaml"
        document = {
            "apiVersion": "testworkflows.testkube.io/v1",
            "kind": "TestWorkflow",
            "metadata": {"name": name},
            "spec": {"steps": steps},
        }
        path.write_text(json.dumps(document))
        return path

    def command(self, workflow):
        return [self.testudo, "run", str(workflow), "--artifacts", str(self.path / "artifacts")]

    def seconds(self, workflow):
        """How long a whole run takes, its output thrown away."""
        start = time.perf_counter()
        subprocess.run(self.command(workflow), env=self.env, check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return time.perf_counter() - start


def until_mark(command, env=None):
    """Milliseconds from the start of a process to the mark in its output; the process is then waited for."""
    start = time.perf_counter()
    process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    seen, took = b"", None
    descriptor = process.stdout.fileno()
    while chunk := os.read(descriptor, 65536):
        seen += chunk
        if took is None and MARK in seen:
            took = time.perf_counter() - start
    if process.wait() != 0 or took is None:
        raise RuntimeError(f"{command[0]} failed: {seen.decode(errors='replace')}")
    return took * 1000


def bubblewrap(place):
    """bwrap with the mounts that a unit has: the machine's top-level folders, and its own /data, /tmp, /testkube."""
    arguments = ["bwrap", "--unshare-pid", "--die-with-parent"]
    for entry in sorted(pathlib.Path("/").iterdir()):
        if entry.name in ("data", "tmp", "testkube", "proc"):
            continue
        if entry.is_symlink():
            arguments += ["--symlink", os.readlink(entry), str(entry)]
        elif entry.is_dir():
            arguments += ["--dev-bind-try", str(entry), str(entry)]
    for own in ("data", "tmp", "testkube"):
        outside = place.path / "bwrap" / own
        outside.mkdir(parents=True, exist_ok=True)
        arguments += ["--bind", str(outside), f"/{own}"]
    hidden = place.path / "state"
    hidden.mkdir(exist_ok=True)
    return arguments + ["--proc", "/proc", "--tmpfs", str(hidden)]


def first_byte(testudo, runs):
    if not shutil.which("bwrap"):
        return [("first byte of a one-line workflow", "skipped: there is no bwrap here (apt install bubblewrap)", "", "", "")]
    script = f"echo {MARK.decode()}"
    with Place(testudo) as place:
        ours = place.command(place.workflow("one-line", [{"shell": script}]))
        theirs = bubblewrap(place) + ["sh", "-c", script]
        times = {"testudo": [], "bwrap": [], "sh": []}
        for run in range(runs + 2):
            # Interleaved, so that a busy moment hits all alike; two rounds to warm up.
            for name, command, env in (("testudo", ours, place.env), ("bwrap", theirs, None),
                                       ("sh", ["sh", "-c", script], None)):
                took = until_mark(command, env)
                if run >= 2:
                    times[name].append(took)
    ours, theirs, shell = (statistics.median(times[name]) for name in ("testudo", "bwrap", "sh"))
    limit = min(50, 1.5 * theirs + 15)
    return [(
        "first byte of a one-line workflow",
        f"{ours:.1f} ms",
        f"bwrap {theirs:.1f} ms, sh alone {shell:.1f} ms",
        f"≤ {limit:.1f} ms: 50 ms, and 1.5 × bwrap + 15 ms",
        verdict(ours <= limit),
    )]


def steps(testudo, runs):
    rounds = max(3, runs // 4)
    loop = f"i=0; while [ $i -lt {STEPS} ]; do sh -c :; i=$((i+1)); done"
    many, one, shell = [], [], []
    with Place(testudo) as place:
        flow = place.workflow("many-steps", [{"name": f"Step {n}", "shell": ":"} for n in range(STEPS)])
        single = place.workflow("one-step", [{"shell": ":"}])
        for run in range(rounds + 1):
            start = time.perf_counter()
            subprocess.run(["sh", "-c", loop], check=True)
            baseline = time.perf_counter() - start
            took, alone = place.seconds(flow), place.seconds(single)
            if run:
                shell.append(baseline)
                many.append(took)
                one.append(alone)
    baseline, took, alone = (statistics.median(values) * 1000 for values in (shell, many, one))
    over = (took - baseline) / STEPS
    further = (took - alone) / (STEPS - 1) - baseline / STEPS
    return [(
        f"a step, in a workflow of {STEPS}",
        f"{over:.2f} ms over the baseline ({further:.2f} ms for each further one)",
        f"`sh -c :` {baseline / STEPS:.2f} ms",
        "≤ 2 ms over `sh -c`",
        verdict(over <= 2),
    )]


def write_lines(path):
    """A log of numbered lines, so that a lost, doubled or swapped one shows."""
    filler = "".join(chr(33 + n * 7 % 94) for n in range(90))
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        for block in range(MEGABYTES * 10):
            text = "".join(f"{block * 1000 + n:08d} {filler}\n" for n in range(1000)).encode()
            assert len(text) == 100_000
            digest.update(text)
            file.write(text)
    return digest.hexdigest()


def kept(folder, length):
    """The digest of what a unit's commands wrote, out of the kept records: the first `length` bytes after the
    agent's own lines are told apart by the step that they belong to."""
    best = None
    for output in (folder / "outputs").iterdir():
        digests = {}
        with open(output, "rb") as file:
            while len(header := file.read(16)) == 16:
                size, step, _ = struct.unpack(">IIQ", header)
                digest, total = digests.setdefault(step, (hashlib.sha256(), 0))
                data = file.read(size)
                digest.update(data)
                digests[step] = (digest, total + size)
        for digest, total in digests.values():
            if total == length:
                best = digest.hexdigest()
    return best


def bulk(testudo, runs):
    rounds = max(3, runs // 6)
    with Place(testudo) as place:
        source = place.path / "lines"
        written = write_lines(source)
        worker = {"parallel": {"count": 1, "shell": f"cat {source}"}}
        empty = {"parallel": {"count": 1, "shell": "cat /dev/null"}}
        flow, nothing = place.workflow("bulk", [worker]), place.workflow("nothing", [empty])
        took, alone, pipe, same = [], [], [], True
        for run in range(rounds + 1):
            start = time.perf_counter()
            subprocess.run(["sh", "-c", f"cat {source} | cat > {place.path}/copy"], check=True)
            baseline = time.perf_counter() - start
            # What is on its way to the disk belongs to whoever wrote it.
            (place.path / "copy").unlink()
            os.sync()
            shutil.rmtree(place.path / "state", ignore_errors=True)
            whole = place.seconds(flow)
            executions = list((place.path / "state" / "executions").iterdir())
            same = same and kept(executions[0], MEGABYTES * 1_000_000) == written
            shutil.rmtree(place.path / "state", ignore_errors=True)
            os.sync()
            if run:
                pipe.append(baseline)
                took.append(whole)
                alone.append(place.seconds(nothing))
    whole, nothing, baseline = (statistics.median(values) for values in (took, alone, pipe))
    rate = MEGABYTES / max(whole - nothing, 1e-9)
    return [(
        f"{MEGABYTES} MB of log through one worker",
        f"{rate:.0f} MB/s ({MEGABYTES / whole:.0f} MB/s with the run's start and end), "
        + ("every byte equal" if same else "BYTES DIFFER"),
        f"`cat | cat >file` {MEGABYTES / baseline:.0f} MB/s",
        "≥ 200 MB/s, no byte lost or changed",
        verdict(rate >= 200 and same),
    )]


def expressions(_testudo, _runs):
    name = "an expression, compiled and resolved"
    if not (ROOT / "crates/core/benches/expressions.rs").exists():
        return [(name, "skipped: crates/core/benches/expressions.rs is not there", "", "", "")]
    out = subprocess.run(["cargo", "bench", "--quiet", "--package", "testudo-core", "--bench", "expressions"], cwd=ROOT,
                         check=True, capture_output=True, text=True).stdout
    nanos, cases = re.search(r"expressions: (\d+) ns per case over (\d+) cases", out).groups()
    return [(
        name,
        f"{int(nanos) / 1000:.2f} µs on average over {cases} cases",
        "Go reference 9.1 µs, measured on this kind of machine before",
        "≤ 1.0 µs",
        verdict(int(nanos) <= 1000),
    )]


def verdict(held):
    return "held" if held else "missed"


MEASUREMENTS = {"first-byte": first_byte, "steps": steps, "bulk": bulk, "expressions": expressions}


def table(rows):
    head = ("what", "testudo", "baseline, same sitting", "aim", "")
    lines = ["| " + " | ".join(head) + " |", "|---|---|---|---|---|"]
    # A bar would end the cell.
    return lines + ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]


def machine():
    model = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    kernel = ".".join(os.uname().release.split(".")[:2])
    who = "root" if os.geteuid() == 0 else "an ordinary user"
    return (f"{os.cpu_count()} cores of {model.group(1) if model else os.uname().machine}, Linux {kernel}, as {who}, "
            f"load {os.getloadavg()[0]:.1f} before the start")


def write(lines, begin=BEGIN, end=END):
    path = ROOT / "docs" / "performance.md"
    text = path.read_text()
    before, rest = text.split(begin, 1)
    path.write_text(before + begin + "\n\n" + "\n".join(lines) + "\n\n" + end + rest.split(end, 1)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--testudo", default=str(ROOT / "target/release/testudo"))
    parser.add_argument("--runs", type=int, default=20, help="runs behind a median")
    parser.add_argument("--only", choices=MEASUREMENTS, action="append")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    options = parser.parse_args()
    about = f"{time.strftime('%Y-%m-%d')}, {machine()}; medians of {options.runs} (steps and log: fewer)."
    testudo = str(pathlib.Path(options.testudo).resolve())
    rows = []
    for name in options.only or MEASUREMENTS:
        print(f"{name} …", file=sys.stderr)
        rows += MEASUREMENTS[name](testudo, options.runs)
    lines = [about, ""] + table(rows)
    print("\n".join(lines))
    if options.write:
        write(lines)
    sys.exit(1 if any(row[-1] == "missed" for row in rows) else 0)


if __name__ == "__main__":
    main()
