//! Workflows and misfortunes by chance.
//!
//! What a workflow does must not depend on how long an engine is away, or no two runs could be compared: commands
//! alone have timeouts, and a service that fails does so before it is ready.

use std::time::Duration;

use serde_json::{Value, json};
use testudo_engine::sim::{AgentEnd, AgentFault, Chance, EngineEnd, EngineFault, Faults, Moment, Odds};

/// How deep groups and blocks nest.
const DEEPEST: u64 = 3;

/// A workflow, and those that it executes, as YAML.
pub(crate) fn workflows(seed: u64) -> String {
    let mut maker = Maker { chance: Chance::about(seed, "workflow"), steps: 0 };
    let main = maker.workflow("main", Where { depth: 0, executes: true });
    let inner = maker.workflow("inner", Where { depth: 1, executes: true });
    let innermost = maker.workflow("innermost", Where { depth: 2, executes: false });
    [main, inner, innermost].map(|workflow| workflow.to_string()).join("\n---\n")
}

#[derive(Clone, Copy)]
struct Where {
    depth: u64,
    executes: bool,
}

impl Where {
    fn deeper(self) -> Self {
        Where { depth: self.depth + 1, ..self }
    }
}

struct Maker {
    chance: Chance,
    steps: u64,
}

impl Maker {
    fn workflow(&mut self, name: &str, place: Where) -> Value {
        let mut spec = json!({});
        if self.chance.percent(15) {
            spec["services"] = self.services();
        }
        spec["steps"] = self.steps(place, 4);
        if self.chance.percent(25) {
            spec["after"] = self.steps(place, 1);
        }
        json!({"kind": "TestWorkflow", "metadata": {"name": name}, "spec": spec})
    }

    fn steps(&mut self, place: Where, most: u64) -> Value {
        let count = 1 + self.chance.below(most);
        Value::Array((0..count).map(|_| self.step(place)).collect())
    }

    fn step(&mut self, place: Where) -> Value {
        self.steps += 1;
        let mut step = json!({"name": format!("s{}", self.steps)});
        let deep = place.depth >= DEEPEST;
        match self.chance.below(100) {
            0..12 if !deep => step["steps"] = self.steps(place.deeper(), 3),
            12..32 if !deep => step["parallel"] = self.parallel(place.deeper()),
            32..40 if !deep => {
                step["services"] = self.services();
                step["steps"] = self.steps(place.deeper(), 2);
            }
            40..50 if place.executes => {
                step["execute"] = self.execute(if place.depth == 0 { "inner" } else { "innermost" });
            }
            50..56 => {
                // Now and then more than one piece of a read.
                let length = if self.chance.percent(30) { 600_000 } else { 10 };
                step["shell"] = json!(format!("fill {length} > /data/file.txt; noise 3000"));
                step["artifacts"] = json!({"paths": ["/data/**"]});
            }
            56..60 => step["delay"] = json!(format!("{}s", 1 + self.chance.below(3))),
            _ => self.command(&mut step),
        }
        if self.chance.percent(12) {
            step["condition"] = json!(self.chance.pick(&["always", "failed", "passed", "never", "!passed"]));
        }
        for (flag, odds) in [("optional", 10), ("negative", 7), ("paused", 2)] {
            if self.chance.percent(odds) {
                step[flag] = json!(true);
            }
        }
        step
    }

    fn command(&mut self, step: &mut Value) {
        step["shell"] = json!(self.script());
        if self.chance.percent(15) {
            let until = *self.chance.pick(&["passed", "failed", "self.passed"]);
            step["retry"] = json!({"count": 1 + self.chance.below(3), "until": until});
        }
        if self.chance.percent(6) {
            step["timeout"] = json!("2s");
        }
    }

    fn script(&mut self) -> String {
        let mut script = format!("sleep {}; echo hello", self.chance.below(50) as f64 / 10.0);
        match self.chance.below(100) {
            0..10 => script.push_str("; exit 3"),
            10..20 => script.push_str("; exit-until 2"),
            20..30 => script.push_str("; echo 7 > /testkube/outputs/n"),
            30..40 => script.push_str("; noise 2500"),
            40..41 => script.push_str("; kill -9 $$"),
            _ => {}
        }
        script
    }

    fn parallel(&mut self, place: Where) -> Value {
        let mut block = json!({"parallelism": 1 + self.chance.below(4)});
        match self.chance.below(10) {
            0..2 => block["matrix"] = json!({"a": [1, 2], "b": ["x", "y", "z"]}),
            2..3 => block["matrix"] = json!({"file": "glob(\"/data/shared/*\")"}),
            3..4 => {
                block["count"] = json!(2);
                block["shards"] = json!({"n": [1, 2, 3]});
            }
            _ => block["count"] = json!(self.chance.below(5)),
        }
        for (flag, odds) in [("failFast", 15), ("paused", 10)] {
            if self.chance.percent(odds) {
                block[flag] = json!(true);
            }
        }
        if self.chance.percent(10) {
            block["maxFailures"] = json!(1 + self.chance.below(3));
        }
        if self.chance.percent(20) {
            block["transfer"] = json!([{"from": "/data/shared", "to": "/data/got"}]);
            block["fetch"] = json!([{"from": "/data/got", "to": "/data/back/{{ index }}"}]);
        }
        if self.chance.percent(50) {
            let bad = self.chance.below(5);
            let code =
                if self.chance.percent(40) { format!("{{{{ index == {bad} ? 1 : 0 }}}}") } else { "0".to_owned() };
            block["shell"] = json!(format!("{}; exit {code}", self.script()));
        } else {
            block["steps"] = self.steps(Where { executes: false, ..place }, 2);
        }
        block
    }

    fn services(&mut self) -> Value {
        let mut services = json!({});
        for number in 0..=self.chance.below(2) {
            let mut service = json!({"image": "x", "count": 1 + self.chance.below(2)});
            match self.chance.below(10) {
                0 => {
                    service["shell"] = json!("exit 1");
                    service["restartPolicy"] = json!("Never");
                }
                1 => service["shell"] = json!("exit 1"),
                2 => {
                    service["shell"] = json!("ready never; sleep 1000000");
                    service["readinessProbe"] = json!({"tcpSocket": {"port": 80}});
                    service["timeout"] = json!("5s");
                }
                3..7 => {
                    service["shell"] = json!("ready 2; noise 1500; sleep 1000000");
                    service["readinessProbe"] = json!({"tcpSocket": {"port": 80}});
                }
                _ => service["shell"] = json!("sleep 1000000"),
            }
            services[format!("db{}-{number}", self.steps)] = service;
        }
        services
    }

    fn execute(&mut self, name: &str) -> Value {
        let mut entries = vec![json!({"name": name})];
        if self.chance.percent(40) {
            entries.push(json!({"name": name, "count": 2}));
        }
        let mut execute = json!({"workflows": entries, "parallelism": 1 + self.chance.below(3)});
        if self.chance.percent(15) {
            execute["async"] = json!(true);
        }
        execute
    }
}

/// Ends of engines, each somewhere in a run of so many appends, with gaps below a limit.
pub(crate) fn engines(chance: &mut Chance, appends: u64, gap: Duration) -> Vec<EngineFault> {
    let count = 1 + chance.below(4);
    (0..count)
        .map(|_| {
            let moment = if chance.percent(80) {
                Moment::Append(1 + chance.below(appends))
            } else {
                Moment::After(chance.millis(0, 20_000))
            };
            let how = match chance.below(10) {
                0..4 => EngineEnd::Dies,
                4..7 => EngineEnd::DiesHaving(usize::try_from(chance.below(4)).unwrap_or(0)),
                _ => EngineEnd::Stalls(chance.millis(0, 60_000)),
            };
            let gap = chance.millis(0, u64::try_from(gap.as_millis()).unwrap_or(1));
            EngineFault { moment, how, gap }
        })
        .collect()
}

/// Trouble on the way to units.
pub(crate) fn odds(chance: &mut Chance) -> Odds {
    let mut some = |most: u64| if chance.percent(50) { 0 } else { chance.below(most) };
    Odds { cut: some(70), mute: some(15), repeat: some(60), busy: some(40) }
}

/// Ends of agents.
pub(crate) fn agents(chance: &mut Chance) -> Faults {
    let count = 1 + chance.below(3);
    let mut one = || AgentFault {
        nth: usize::try_from(chance.below(5)).unwrap_or(0),
        reports: 1 + chance.below(15),
        how: *chance.pick(&[AgentEnd::Dies, AgentEnd::SecondLife, AgentEnd::Restarts]),
    };
    Faults { agents: (0..count).map(|_| one()).collect(), odds: Odds::default() }
}
