"""Measures runs on a cluster against bare Jobs there, interleaved and in one sitting.

Standard library and `kubectl` only. `scripts/bench-kube` builds the binary and calls this.
"""

import argparse
import base64
import contextlib
import http.client
import json
import os
import pathlib
import re
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

import bench

BEGIN, END = "<!-- figures: written by `just bench-kube --write` -->", "<!-- end of figures on a cluster -->"
MANY = 60
FOREIGN = "docker.io/library/busybox:1.35"
NAMESPACE = f"testudo-bench-{os.getpid()}"
MIB = 1024


def kubectl(*arguments, text=None):
    return subprocess.run(["kubectl", "--namespace", NAMESPACE, *arguments], check=True, input=text, text=True,
                          capture_output=True).stdout


class Api:
    """The API server by plain HTTP, so that no other program's start is measured."""

    def __init__(self, folder):
        config = json.loads(kubectl("config", "view", "--raw", "--minify", "--flatten", "--output", "json"))
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.address = urllib.parse.urlsplit(cluster["server"])

        def kept(name, data):
            path = folder / name
            path.touch(mode=0o600)
            path.write_bytes(base64.b64decode(data))
            return str(path)

        self.context = ssl.create_default_context(cafile=kept("ca", cluster["certificate-authority-data"]))
        if "client-certificate-data" in user:
            self.context.load_cert_chain(kept("certificate", user["client-certificate-data"]),
                                         kept("key", user["client-key-data"]))
        self.headers = {"Authorization": "Bearer " + user["token"]} if "token" in user else {}

    def connection(self):
        return http.client.HTTPSConnection(self.address.hostname, self.address.port or 443, context=self.context)

    def ask(self, connection, method, path, body=None):
        headers = {**self.headers, "Content-Type": "application/json"}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {text.decode(errors='replace')}")
        return json.loads(text)

    def watch(self, path, heard):
        """Calls `heard` with each event, in a thread, until it says that it has heard enough."""
        connection = self.connection()
        connection.request("GET", path, headers=self.headers)
        answer = connection.getresponse()

        def listen():
            for line in answer:
                if heard(json.loads(line)):
                    break
            connection.close()

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        return thread


JOBS = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"


def job(name, image, completions=1):
    container = {"name": "main", "image": image, "imagePullPolicy": "IfNotPresent", "command": ["true"]}
    pod = {"restartPolicy": "Never", "automountServiceAccountToken": False, "containers": [container]}
    spec = {"backoffLimit": 0, "template": {"spec": pod}}
    if completions > 1:
        spec |= {"completionMode": "Indexed", "completions": completions, "parallelism": completions}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}


class Bench:
    def __init__(self, testudo, folder, own):
        self.testudo, self.folder, self.own = testudo, folder, own
        self.api = Api(folder)
        self.count, self.at_rest = 0, None
        self.env = dict(os.environ, TESTUDO_STATE=str(folder / "state"), NO_COLOR="1")
        self.env.pop("CI", None)

    # --- what is measured ---------------------------------------------------------------------------------------

    def bare(self, image, jobs=1, completions=1):
        """Seconds from the first Job's creation until the last is seen to be complete."""
        self.count += 1
        version = self.api.ask(connection := self.api.connection(), "GET", JOBS)["metadata"]["resourceVersion"]
        waiting = {f"bare-{self.count}-{number}" for number in range(jobs)}
        names = sorted(waiting)

        def heard(event):
            conditions = event["object"].get("status", {}).get("conditions", [])
            if any(one["type"] == "Complete" and one["status"] == "True" for one in conditions):
                waiting.discard(event["object"]["metadata"]["name"])
            return not waiting

        watch = self.api.watch(f"{JOBS}?watch=true&resourceVersion={version}", heard)
        start = time.perf_counter()
        for name in names:
            self.api.ask(connection, "POST", JOBS, job(name, image, completions))
        watch.join(300)
        took = time.perf_counter() - start
        if waiting:
            raise RuntimeError(f"bare Jobs did not complete: {waiting}")
        path = JOBS + "?propagationPolicy=Background"
        self.api.ask(connection, "DELETE", path)
        return took

    def workflow(self, name, *documents):
        path = self.folder / f"{name}.yaml"
        whole = [{"apiVersion": "testworkflows.testkube.io/v1", "kind": "TestWorkflow", "metadata": {"name": title},
                  "spec": {"steps": steps}} for title, steps in documents]
        path.write_text("\n---\n".join(json.dumps(one) for one in whole))
        return [self.testudo, "run", str(path), "--runner", "kube", "--namespace", NAMESPACE, "--artifacts",
                str(self.folder / "artifacts")]

    def start(self, command):
        return subprocess.Popen(command, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True)

    def runs(self, command, count=1):
        """Seconds from the start of the first process to the end of the last."""
        start = time.perf_counter()
        processes = [self.start(command) for _ in range(count)]
        for process in processes:
            error = process.communicate(timeout=300)[1]
            if process.returncode:
                raise RuntimeError(f"{command}: {error}")
        return time.perf_counter() - start

    def settled(self):
        """Waits until no pod is left, and until the nodes have cleared away after the last ones."""
        connection = self.api.connection()
        while self.api.ask(connection, "GET", f"/api/v1/namespaces/{NAMESPACE}/pods")["items"]:
            time.sleep(0.1)
        if self.at_rest is None:
            time.sleep(2 * REST)
            self.at_rest = load()
        for _ in range(REST):
            if load(1) < self.at_rest + 0.15:
                break

    def with_cpu(self, measure):
        """What it says, and the CPU seconds of the whole machine until nothing is left of it, above those at rest."""
        self.settled()
        start, used = time.perf_counter(), busy()
        result = measure()
        self.settled()
        used = busy() - used - self.at_rest * (time.perf_counter() - start)
        return result, used


REST = 5


def load(seconds=REST):
    """How many CPUs are busy on average."""
    used = busy()
    time.sleep(seconds)
    return (busy() - used) / seconds


def busy():
    """CPU seconds of this machine so far."""
    fields = [int(field) for field in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    user, nice, system, _, _, irq, softirq, steal = fields[:8]
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def ratio(name, ours, theirs, aim, what):
    ours, theirs = statistics.median(ours), statistics.median(theirs)
    return (name, f"{ours:.2f} s: {ours / theirs:.2f} ×", f"{what} {theirs:.2f} s", f"≤ {aim:.2f} ×",
            bench.verdict(ours <= aim * theirs))


def one(this, runs):
    times = {}
    foreign = this.workflow("one-foreign", ("one-foreign", [{"shell": "true", "container": {"image": FOREIGN}}]))
    own = this.workflow("one-own", ("one-own", [{"shell": "true"}]))
    for run in range(runs + 1):
        for name, measure in (("bare foreign", lambda: this.bare(FOREIGN)), ("foreign", lambda: this.runs(foreign)),
                              ("bare own", lambda: this.bare(this.own)), ("own", lambda: this.runs(own))):
            this.settled()
            took = measure()
            if run:
                times.setdefault(name, []).append(took)
    return [
        ratio("one execution of one step, in BusyBox's image", times["foreign"], times["bare foreign"], 1.0, "bare Job"),
        ratio("the same in our own image", times["own"], times["bare own"], 1.0, "bare Job"),
    ]


def many(this, runs):
    rounds = max(3, runs // 4)
    single = this.workflow("one-own", ("one-own", [{"shell": "true"}]))
    block = this.workflow("block", ("block", [{"parallel": {"count": MANY, "parallelism": MANY, "shell": "true"}}]))
    suite = this.workflow("suite", ("suite", [{"execute": {"parallelism": MANY, "workflows": [
        {"name": "child", "count": MANY}]}}]), ("child", [{"shell": "true"}]))
    times, used = {}, {}
    for run in range(rounds):
        for name, measure in (("bare", lambda: this.bare(this.own, MANY)), ("runs", lambda: this.runs(single, MANY)),
                              ("suite", lambda: this.runs(suite)),
                              ("indexed", lambda: this.bare(this.own, 1, MANY)), ("block", lambda: this.runs(block))):
            took, cpu = this.with_cpu(measure)
            times.setdefault(name, []).append(took)
            used.setdefault(name, []).append(cpu / MANY)
            print(f"  {run + 1}/{rounds} {name}: {took:.2f} s, {cpu / MANY:.3f} CPU s a pod", file=sys.stderr)
    return [
        ratio(f"{MANY} executions of one step at once, a process each", times["runs"], times["bare"], 1.15,
              f"{MANY} bare Jobs"),
        ratio(f"{MANY} executions of one step at once, by one that starts them", times["suite"], times["bare"], 1.15,
              f"{MANY} bare Jobs"),
        ratio(f"`parallel` of {MANY} workers", times["block"], times["indexed"], 1.10, f"an Indexed Job of {MANY}"),
        ratio(f"CPU of the whole machine a pod, {MANY} processes", used["runs"], used["bare"], 1.25, "bare Jobs"),
        ratio(f"CPU of the whole machine a pod, {MANY} executions by one", used["suite"], used["bare"], 1.25, "bare Jobs"),
        ratio(f"CPU of the whole machine a pod, `parallel` of {MANY}", used["block"], used["indexed"], 1.25, "Indexed Job"),
    ]


def memory(this, _runs):
    rows = []
    wait = "sleep 15"
    block = this.workflow("held", ("held", [{"parallel": {"count": MANY, "parallelism": MANY, "shell": wait}}]))
    suite = this.workflow("suite", ("suite", [{"execute": {"parallelism": MANY, "workflows": [
        {"name": "child", "count": MANY}]}}]), ("child", [{"shell": wait}]))
    for name, command in ((f"a `parallel` of {MANY}", block), (f"{MANY} executions", suite)):
        this.settled()
        process, peak = this.start(command), 0
        while process.poll() is None:
            with contextlib.suppress(OSError, AttributeError):
                status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
                peak = int(re.search(r"VmHWM:\s+(\d+)", status).group(1))
            time.sleep(0.1)
        if process.returncode:
            raise RuntimeError(f"{command}: {process.stderr.read()}")
        rows.append((f"testudo's own memory, {name} running", f"{peak / MIB:.1f} MiB at most", "", "≤ 60 MiB",
                     bench.verdict(peak <= 60 * MIB)))
    return rows


MEASUREMENTS = {"one": one, "many": many, "memory": memory}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--testudo", default=str(bench.ROOT / "target/release/testudo"))
    parser.add_argument("--image", help="our own image, as the nodes know it")
    parser.add_argument("--runs", type=int, default=12, help="runs behind a median")
    parser.add_argument("--only", choices=MEASUREMENTS, action="append")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    options = parser.parse_args()
    testudo = str(pathlib.Path(options.testudo).resolve())
    own = options.image or own_image()
    nodes = json.loads(kubectl("get", "nodes", "--output", "json"))["items"]
    about = (f"{time.strftime('%Y-%m-%d')}, {len(nodes)} nodes of Kubernetes "
             f"{nodes[0]['status']['nodeInfo']['kubeletVersion']} on {bench.machine()}; medians of {options.runs} "
             f"(of {MANY} at once: {max(3, options.runs // 4)}).")
    rows = []
    subprocess.run(["kubectl", "create", "namespace", NAMESPACE], check=True, stdout=subprocess.DEVNULL)
    try:
        with tempfile.TemporaryDirectory(prefix="testudo-bench.", dir="/var/tmp") as folder:
            this = Bench(testudo, pathlib.Path(folder), own)
            while not kubectl("get", "serviceaccount", "default", "--ignore-not-found"):
                time.sleep(0.1)
            for name in options.only or MEASUREMENTS:
                print(f"{name} …", file=sys.stderr)
                rows += MEASUREMENTS[name](this, options.runs)
    finally:
        subprocess.run(["kubectl", "delete", "namespace", NAMESPACE, "--wait=false"], stdout=subprocess.DEVNULL)
    lines = [about, ""] + bench.table(rows)
    print("\n".join(lines))
    if options.write:
        bench.write(lines, BEGIN, END)
    sys.exit(1 if any(row[-1] == "missed" for row in rows) else 0)


def own_image():
    version = re.search(r'^version = "(.*)"', (bench.ROOT / "Cargo.toml").read_text(), re.MULTILINE)
    return f"docker.io/testudo/testudo:{version[1]}"


if __name__ == "__main__":
    main()
