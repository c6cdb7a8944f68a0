//! What the units of a workflow are made of on a cluster: text in, text out.

use std::fmt::Write as _;

use insta::assert_snapshot;

use super::{
    Context, Identity, Layout, Operation, Place, Plan, Platform, Step, UnitPlan, build, containers, expand_parallel,
    expand_services, shape, source_name,
};
use crate::{
    expr::{Expr, ExprError, Scope},
    resolve::{self, Given, Request, resolve},
    run::Work,
    source::{Diagnostic, Node, Scalars, parse_first},
    workflow::{Document, DocumentKind},
};

/// Plans a workflow of the name `wf` for a cluster.
fn planned(spec: &str, place: Place) -> Result<Plan, Vec<Diagnostic>> {
    let spec = parse_first(spec, Scalars::Kubernetes).unwrap();
    let document = Document::new(DocumentKind::Workflow, "wf", spec);
    let identity = resolve::Identity { id: "e1".into(), name: "wf-1".into(), ..resolve::Identity::default() };
    let given = Given::default();
    let request = Request { identity: Some(&identity), ..Request::new(&document, &[], &given) };
    let resolved = resolve(request).map_err(|failure| failure.diagnostics)?;
    let mut platform = Platform { place, ..Platform::default() };
    platform.images.needed = true;
    let execution = Identity { id: "e1".to_owned(), ..Identity::default() };
    build(&resolved.spec, &Context { workflow: "wf".to_owned(), execution, platform, pause: None })
}

/// A run in which nothing else is known.
struct Nothing;

impl Scope for Nothing {
    fn get(&self, _: &str) -> Result<Option<Expr>, ExprError> {
        Ok(None)
    }
}

/// Everything that the pods of a workflow are made with, main unit first, then blocks in the order of their steps.
fn pods(spec: &str) -> String {
    match planned(spec, Place::Kube) {
        Ok(plan) => {
            let mut out = String::new();
            describe("main", &plan.main, &plan.platform, &mut out);
            out
        }
        Err(problems) => listed(&problems),
    }
}

fn listed(problems: &[Diagnostic]) -> String {
    let lines = problems.iter().map(|one| format!("error: {}: {}", one.path, one.message));
    lines.collect::<Vec<_>>().join("\n")
}

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap()
}

fn describe(name: &str, unit: &UnitPlan, platform: &Platform, out: &mut String) {
    let made = containers(unit);
    let how = if made.layout == Layout::Sequential { " in turn" } else { "" };
    let _ = writeln!(out, "{name}{how}");
    for (field, node) in [("pod", &unit.pod), ("job", &unit.job), ("pvcs", &unit.pvcs)] {
        if let Some(node) = node {
            let _ = writeln!(out, "  {field} {}", json(node));
        }
    }
    for (at, container) in made.list.iter().enumerate() {
        let image = container.image.as_deref().unwrap_or("(ours)");
        let settings =
            if container.settings == Node::map::<&str>([]) { String::new() } else { json(&container.settings) };
        let _ = write!(out, "  {at} {image} {settings}");
        for volume in &container.volumes {
            let _ = write!(out, " +{volume}");
        }
        for file in &container.files {
            let _ = write!(out, " {file}");
        }
        for source in &container.sources {
            let _ = write!(out, " {}={}", source_name(at, *source), json(&unit.sources[*source]));
        }
        for reference in &container.references {
            let _ = write!(out, " {}", unit.references[*reference].path());
        }
        let steps = unit.steps.iter().zip(&made.of_step).filter(|(_, of)| **of == Some(at)).map(|(step, _)| step);
        let _ = writeln!(out, ": {}", steps.map(Step::label).collect::<Vec<_>>().join(", "));
    }
    for step in &unit.steps {
        let expanded = match &step.operation {
            Some(Operation::Parallel(parallel)) => expand_parallel(parallel, &Nothing, &step.r#ref, platform),
            Some(Operation::StartServices { services }) => expand_services(services, &Nothing, &step.r#ref, platform),
            _ => continue,
        };
        for one in expanded.unwrap() {
            let name = format!("{name}/{}{}/{}", step.r#ref, one.group, one.index);
            match one.work {
                Work::Unit(unit) => describe(&name, &unit, platform, out),
                Work::Broken(why) => {
                    let _ = writeln!(out, "{name}\n  error: {why}");
                }
                Work::Child(_) => {}
            }
        }
    }
}

#[test]
fn steps_with_equal_image_and_settings_share_a_container() {
    assert_snapshot!(pods("
        container: {image: alpine, resources: {requests: {cpu: 1, memory: 1Gi}}}
        steps:
        - {name: a, shell: make}
        - {name: b, container: {env: [{name: X, value: y}], workingDir: /x}, shell: make}
        - {name: c, run: {image: node, command: [npm]}}
        - {name: d, container: {resources: {requests: {memory: 1Gi, cpu: '1'}}}, shell: make}
        - {name: e, container: {resources: {requests: {cpu: 2}}}, shell: make}
        - {name: f, container: {imagePullPolicy: Always}, shell: make}
    "), @r#"
    main
      0 alpine {"resources":{"requests":{"cpu":"1","memory":"1Gi"}}}: a, b, d
      1 node {"resources":{"requests":{"cpu":"1","memory":"1Gi"}}}: c
      2 alpine {"resources":{"requests":{"cpu":"2"}}}: e
      3 alpine {"imagePullPolicy":"Always","resources":{"requests":{"cpu":"1","memory":"1Gi"}}}: f
    "#);
}

#[test]
fn our_own_image_leads_wherever_it_is_needed() {
    assert_snapshot!(pods("
        container: {image: alpine, resources: {limits: {memory: 1Gi}}, securityContext: {runAsUser: 7, privileged: true}}
        steps:
        - {name: a, shell: make}
        - {name: b, content: {git: {uri: 'https://e.org', mountPath: /src}}, shell: make}
    "), @r#"
    main
      0 (ours) {"securityContext":{"runAsUser":7}} +/src: Clone Git repository
      1 alpine {"resources":{"limits":{"memory":"1Gi"}},"securityContext":{"privileged":true,"runAsUser":7}} +/src: a, Run shell command
    "#);
    assert_snapshot!(pods("
        steps:
        - {name: a, run: {image: alpine, command: [make]}}
        - {name: b, container: {resources: {limits: {memory: 1Gi}}}, shell: make}
        - {name: c, content: {git: {uri: 'https://e.org'}}, shell: make}
    "), @r#"
    main
      0 (ours) : Clone Git repository, Run shell command
      1 alpine : a
      2 (ours) {"resources":{"limits":{"memory":"1Gi"}}}: b
    "#);
    assert_snapshot!(pods("{steps: [{name: wait, delay: 1s}]}"), @"
    main
      0 (ours) :
    ");
}

#[test]
fn the_leader_sees_the_files_that_others_name() {
    assert_snapshot!(pods("
        pod: {volumes: [{name: v, emptyDir: {}}]}
        steps:
        - {name: a, content: {git: {uri: 'https://e.org', mountPath: /src}}}
        - name: b
          container: {image: alpine, workingDir: /w, volumeMounts: [{name: v, mountPath: results}]}
          shell: make
          artifacts: {paths: ['*']}
    "), @r#"
    main
      pod {"volumes":[{"name":"v","emptyDir":{}}]}
      0 (ours) {"volumeMounts":[{"mountPath":"/w/results","name":"v"}]} +/src: a
      1 alpine {"volumeMounts":[{"mountPath":"/w/results","name":"v"}]}: Run shell command
    "#);
}

#[test]
fn settings_of_pod_and_job_are_final_and_numbers_are_numbers() {
    assert_snapshot!(pods("
        config: {uid: {type: integer, default: 7}}
        job: {labels: {'{{ workflow.name }}': '{{ execution.id }}'}, namespace: 'team-{{ workflow.name }}'}
        pod:
          serviceAccountName: '{{ execution.id }}'
          securityContext: {runAsUser: '{{ config.uid }}', fsGroup: '{{ config.uid + 1 }}', supplementalGroups: [1]}
          affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: '{{ config.uid }}'}]}}
          volumes: [{name: s, secret: {secretName: s, defaultMode: '{{ 256 + 32 }}', optional: '{{ 1 == 1 }}'}}]
          labels: {braces: '{{ \"{{x}}\" }}'}
        container: {image: alpine, securityContext: {runAsUser: '{{ config.uid }}'}}
        steps: [{name: a, shell: make}]
    "), @r#"
    main
      pod {"serviceAccountName":"e1","securityContext":{"runAsUser":7,"fsGroup":8,"supplementalGroups":[1]},"affinity":{"podAntiAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":7}]}},"volumes":[{"name":"s","secret":{"secretName":"s","defaultMode":288,"optional":true}}],"labels":{"braces":"{{x}}"}}
      job {"labels":{"wf":"e1"},"namespace":"team-wf"}
      0 alpine {"securityContext":{"runAsUser":7}}: a
    "#);
}

#[test]
fn what_a_run_would_have_to_tell_comes_too_late_for_a_pod() {
    assert_snapshot!(pods("
        pod: {nodeSelector: {a: '{{ env.NODE }}'}, securityContext: {runAsUser: 'me'}}
        steps:
        - {name: a, shell: make}
        - {name: b, steps: [{shell: make}, {run: {image: '{{ env.IMAGE }}', command: [make]}}]}
        - {name: c, content: {git: {uri: 'https://e.org', mountPath: '/{{ env.DIR }}'}}}
        - {name: d, container: {resources: {limits: {cpu: '{{ env.CPU }}'}}}, shell: make}
    "), @"
    error: spec.steps[1].steps[1].run.image: error while accessing env.IMAGE: unknown variable
    error: spec.steps[2].content.git.mountPath: error while accessing env.DIR: unknown variable
    error: spec.steps[3].container.resources.limits.cpu: error while accessing env.CPU: unknown variable
    error: spec.pod.nodeSelector.a: error while accessing env.NODE: unknown variable
    error: spec.pod.securityContext.runAsUser: `me` is no whole number
    ");
    // A place without pods carries nothing of it.
    let plan = planned("{pod: {nodeSelector: {a: '{{ env.NODE }}'}}, steps: [{shell: make}]}", Place::Process).unwrap();
    assert_eq!(plan.main.pod, None);
}

#[test]
fn workers_and_services_take_over_from_the_pod_around_them() {
    assert_snapshot!(pods("
        job: {namespace: team, labels: {a: b}}
        pod:
          serviceAccountName: outer
          imagePullSecrets: [{name: registry}]
          nodeSelector: {a: outer, b: outer}
          tolerations: [{key: outer}]
          securityContext: {fsGroup: 1}
        services:
          db: {image: mongo, command: [mongod], pod: {nodeSelector: {c: db}, imagePullSecrets: [{name: own}]}}
        steps:
        - name: tests
          parallel:
            matrix: {node: [one, two]}
            pod:
              serviceAccountName: inner
              nodeSelector: {a: '{{ matrix.node }}'}
              tolerations: [{key: '{{ index }}-of-{{ count }}'}]
              securityContext: {runAsUser: 2}
            container: {image: alpine, resources: {requests: {cpu: '{{ index + 1 }}'}}}
            shell: make
    "), @r#"
    main
      pod {"serviceAccountName":"outer","imagePullSecrets":[{"name":"registry"}],"nodeSelector":{"a":"outer","b":"outer"},"tolerations":[{"key":"outer"}],"securityContext":{"fsGroup":1}}
      job {"namespace":"team","labels":{"a":"b"}}
      0 (ours) : 
    main/servicesdb/0
      pod {"nodeSelector":{"c":"db"},"imagePullSecrets":[{"name":"registry"},{"name":"own"}]}
      job {"namespace":"team"}
      0 mongo : Run
    main/tests/0
      pod {"serviceAccountName":"inner","nodeSelector":{"a":"one","b":"outer"},"tolerations":[{"key":"outer"},{"key":"0-of-2"}],"securityContext":{"runAsUser":2,"fsGroup":1},"imagePullSecrets":[{"name":"registry"}]}
      job {"namespace":"team"}
      0 alpine {"resources":{"requests":{"cpu":"1"}}}: Run shell command
    main/tests/1
      pod {"serviceAccountName":"inner","nodeSelector":{"a":"two","b":"outer"},"tolerations":[{"key":"outer"},{"key":"1-of-2"}],"securityContext":{"runAsUser":2,"fsGroup":1},"imagePullSecrets":[{"name":"registry"}]}
      job {"namespace":"team"}
      0 alpine {"resources":{"requests":{"cpu":"2"}}}: Run shell command
    "#);
}

#[test]
fn what_an_instance_lacks_is_named_as_it_is_written() {
    assert_snapshot!(pods("
        steps:
        - name: tests
          parallel:
            count: 1
            pod: {hostname: '{{ env.HOST }}'}
            run: {image: '{{ env.A }}', command: [make]}
            steps: [{run: {image: '{{ env.B }}', command: [make]}}]
    "), @"
    main
      0 (ours) : 
    main/tests/0
      error: run.image: error while accessing env.A: unknown variable; steps[0].run.image: error while accessing env.B: unknown variable; pod.hostname: error while accessing env.HOST: unknown variable
    ");
}

#[test]
fn claims_are_named_before_there_are_any() {
    assert_snapshot!(pods("
        pvcs: {data: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}
        pod: {volumes: [{name: data, persistentVolumeClaim: {claimName: '{{ pvcs.data.name }}'}}]}
        container: {image: alpine, volumeMounts: [{name: data, mountPath: /mnt}]}
        steps:
        - {name: a, shell: 'echo {{ pvcs.data.name }}'}
        - name: own
          parallel:
            count: 2
            pvcs: {own: {accessModes: [ReadWriteOnce]}}
            pod: {volumes: [{name: own, persistentVolumeClaim: {claimName: '{{ pvcs.own.name }}'}}]}
            shell: make
    "), @r#"
    main
      pod {"volumes":[{"name":"data","persistentVolumeClaim":{"claimName":"e1-data"}}]}
      pvcs {"e1-data":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}}
      0 alpine {"volumeMounts":[{"mountPath":"/mnt","name":"data"}]}: a
    main/own/0
      pod {"volumes":[{"name":"data","persistentVolumeClaim":{"claimName":"e1-data"}},{"name":"own","persistentVolumeClaim":{"claimName":"e1-own-0-own"}}]}
      pvcs {"e1-own-0-own":{"accessModes":["ReadWriteOnce"]}}
      0 alpine : Run shell command
    main/own/1
      pod {"volumes":[{"name":"data","persistentVolumeClaim":{"claimName":"e1-data"}},{"name":"own","persistentVolumeClaim":{"claimName":"e1-own-1-own"}}]}
      pvcs {"e1-own-1-own":{"accessModes":["ReadWriteOnce"]}}
      0 alpine : Run shell command
    "#);
}

#[test]
fn an_image_needs_a_command_on_a_cluster_too() {
    assert_snapshot!(pods("{steps: [{run: {image: grafana/k6, args: [version]}}, {run: {image: mine}}]}"), @"error: : this step runs the entrypoint of its image (mine), and nobody asks a registry what that is");
}

#[test]
fn each_container_gets_what_its_steps_need() {
    assert_snapshot!(pods("
        container: {env: [{name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}]}
        steps:
        - name: a
          container: {env: [{name: LIMIT, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}]}
          run: {image: alpine, command: [make], envFrom: [{secretRef: {name: all}}]}
        - name: b
          container: {env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: t, key: k}}}]}
          content:
            git: {uri: 'https://{{ env.TOKEN }}@e.org', sshKeyFrom: {secretKeyRef: {name: ssh, key: k}}}
        - name: c
          content:
            files:
            - {path: pod.txt, contentFrom: {fieldRef: {fieldPath: metadata.name}}}
            - {path: /etc/map, contentFrom: {configMapKeyRef: {name: map, key: k}}}
          condition: secret('s', 'k') != ''
          shell: make
    "), @r#"
    main
      0 (ours)  /data/pod.txt /etc/map TESTUDO_SOURCE_0_0={"fieldRef":{"fieldPath":"spec.nodeName"}} TESTUDO_SOURCE_0_2={"fieldRef":{"fieldPath":"metadata.name"}} secret/s/k secret/ssh/k secret/t/k configMap/map/k: b, c
      1 alpine  TESTUDO_SOURCE_1_0={"fieldRef":{"fieldPath":"spec.nodeName"}} TESTUDO_SOURCE_1_1={"resourceFieldRef":{"resource":"limits.cpu"}} secret/all/*: a
    "#);
    // What a template of an operation uses is needed as well as what a command sees.
    let needs = |spec: &str| {
        let references = planned(spec, Place::Process).unwrap().main.references;
        references.iter().map(super::Reference::path).collect::<Vec<_>>().join(" ")
    };
    assert_snapshot!(needs("
        container: {env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: t, key: k}}}]}
        steps: [{content: {git: {uri: 'https://{{ env.TOKEN }}@e.org'}}}]
    "), @"secret/t/k");
}

#[test]
fn where_values_come_from_cannot_wait_for_a_run() {
    assert_snapshot!(pods("
        steps:
        - name: a
          container: {env: [{name: X, value: '{{ env.Y }}'}, {name: Z, valueFrom: {secretKeyRef: {name: '{{ env.Y }}', key: k}}}]}
          content:
            git: {uri: '{{ env.Y }}', tokenFrom: {secretKeyRef: {name: '{{ env.Y }}', key: k}}}
            files: [{path: '{{ env.Y }}', contentFrom: {configMapKeyRef: {name: a, key: '{{ env.Y }}'}}}]
          shell: make
    "), @"
    error: spec.steps[0].container.env[1].valueFrom.secretKeyRef.name: error while accessing env.Y: unknown variable
    error: spec.steps[0].content.files[0].contentFrom.configMapKeyRef.key: error while accessing env.Y: unknown variable
    error: spec.steps[0].content.git.tokenFrom.secretKeyRef.name: error while accessing env.Y: unknown variable
    ");
}

#[test]
fn in_turn_each_run_of_neighbours_gets_a_container_behind_a_leader_of_ours() {
    assert_snapshot!(pods("
        system: {layout: sequential}
        content: {git: {uri: x}, files: [{path: /etc/conf, content: x}]}
        container: {resources: {limits: {memory: 1Gi}}, securityContext: {runAsUser: 7, privileged: true}}
        steps:
        - {name: a, run: {image: node, command: [npm]}}
        - {name: b, run: {image: node, shell: make}, artifacts: {paths: [x]}}
        - {name: c, delay: 1s, run: {image: python, shell: make}, content: {tarball: [{url: u, path: p}]}}
        - {name: d, run: {image: node, shell: make}}
        - {name: e, shell: make}
        - {name: f, run: {image: node, shell: make}}
    "), @r#"
    main in turn
      0 (ours) {"securityContext":{"runAsUser":7}}: Clone Git repository, Fetch tarball
      1 node {"resources":{"limits":{"memory":"1Gi"}},"securityContext":{"privileged":true,"runAsUser":7}} /etc/conf: a, Run shell command
      2 python {"resources":{"limits":{"memory":"1Gi"}},"securityContext":{"privileged":true,"runAsUser":7}} /etc/conf: Run shell command
      3 node {"resources":{"limits":{"memory":"1Gi"}},"securityContext":{"privileged":true,"runAsUser":7}} /etc/conf: d
      4 (ours) {"resources":{"limits":{"memory":"1Gi"}},"securityContext":{"privileged":true,"runAsUser":7}} /etc/conf: e
      5 node {"resources":{"limits":{"memory":"1Gi"}},"securityContext":{"privileged":true,"runAsUser":7}} /etc/conf: f
    "#);
}

#[test]
fn in_turn_the_leader_carries_out_what_asks_for_nothing() {
    assert_snapshot!(pods("
        system: {layout: sequential}
        steps:
        - {name: a, container: {securityContext: {runAsUser: 7, privileged: true}}, run: {image: node, shell: make}}
        - {name: b, container: {securityContext: {runAsUser: 7}}, shell: make}
        - {name: c, container: {securityContext: {runAsUser: 7, privileged: true}}, run: {image: node, shell: make}}
        - {name: d, shell: make}
    "), @r#"
    main in turn
      0 (ours) {"securityContext":{"runAsUser":7}}: b
      1 node {"securityContext":{"privileged":true,"runAsUser":7}}: a, c
      2 (ours) : d
    "#);
}

#[test]
fn what_cannot_follow_anything_is_together() {
    assert_snapshot!(pods("
        system: {layout: sequential}
        content: {git: {uri: x}}
        container: {image: node}
        steps: [{shell: make}, {shell: test}]
    "), @"
    main
      0 (ours) : Clone Git repository
      1 node : Run shell command, Run shell command
    ");
}

#[test]
fn workers_come_in_turn_where_their_run_does_unless_their_block_says_otherwise() {
    let steps = "[{run: {image: node, command: [a]}}, {run: {image: python, command: [b]}}]";
    assert_snapshot!(pods(&format!("
        system: {{layout: sequential}}
        services: {{db: {{image: db, command: [c]}}}}
        steps:
        - parallel: {{count: 1, steps: {steps}}}
        - parallel: {{count: 1, system: {{layout: together}}, steps: {steps}}}
    ")), @"
    main
      0 (ours) : 
    main/servicesdb/0
      0 db : Run
    main/parallel/0 in turn
      0 (ours) : 
      1 node : Run
      2 python : Run
    main/parallel-2/0
      0 node : Run
      1 python : Run
    ");
}

/// The shapes of a block's instances, numbered as they are first met.
fn shapes(block: &str) -> String {
    let plan = planned(&format!("{{steps: [{{parallel: {block}}}]}}"), Place::Kube).unwrap();
    let parallel = plan.main.steps.iter().find_map(|step| match &step.operation {
        Some(Operation::Parallel(parallel)) => Some(parallel),
        _ => None,
    });
    let mut known = Vec::new();
    let mut numbers = Vec::new();
    for one in expand_parallel(parallel.unwrap(), &Nothing, "", &plan.platform).unwrap() {
        let Work::Unit(unit) = one.work else { panic!("a worker is a unit") };
        let shape = shape(&unit);
        let number = known.iter().position(|one| *one == shape).unwrap_or_else(|| {
            known.push(shape);
            known.len() - 1
        });
        numbers.push(number.to_string());
    }
    numbers.join(" ")
}

#[test]
fn a_shape_is_what_pods_are_made_from() {
    // Commands, variables and timeouts come later.
    let apart = "{count: 3, timeout: '{{ index + 1 }}m', shell: 'make {{ index }}', pod: {labels: {a: b}}}";
    assert_eq!(shapes(apart), "0 0 0");
    assert_eq!(shapes("{count: 2, run: {image: a, command: [x], env: [{name: A, value: '{{ index }}'}]}}"), "0 0");
    assert_eq!(shapes("{count: 2, run: {image: 'a:{{ index }}', command: [x]}}"), "0 1");
    assert_eq!(shapes("{count: 2, pod: {labels: {a: '{{ index }}'}}, shell: x}"), "0 1");
    assert_eq!(shapes("{count: 2, job: {annotations: {a: '{{ index }}'}}, shell: x}"), "0 1");
    assert_eq!(shapes("{count: 2, pvcs: {a: {accessModes: [ReadWriteOnce]}}, shell: x}"), "0 1");
    assert_eq!(shapes("{count: 2, shell: 'echo {{ secret(\"a\", string(index)) }}'}"), "0 1");
    let sizes = "container: {resources: {requests: {cpu: '{{ matrix.m }}'}}}";
    assert_eq!(shapes(&format!("{{matrix: {{m: [1, 1, 2]}}, {sizes}, shell: x}}")), "0 0 1");
    let from = "{name: A, valueFrom: {fieldRef: {fieldPath: 'metadata.{{ index }}'}}}";
    assert_eq!(shapes(&format!("{{count: 2, container: {{env: [{from}]}}, shell: x}}")), "0 1");
    let file = "{path: '/etc/{{ index }}', content: x}";
    assert_eq!(shapes(&format!("{{count: 2, content: {{files: [{file}]}}, shell: x}}")), "0 1");
}

#[test]
fn what_a_place_does_not_carry_out_is_noted() {
    let notes = |place| {
        let plan = planned(
            "
            job: {labels: {a: b}}
            pod: {priorityClassName: high}
            container: {image: alpine, env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]}
            steps: [{shell: make, container: {resources: {limits: {cpu: 1}}, securityContext: {runAsUser: 1}}}]
            ",
            place,
        );
        let lines = plan.unwrap().notes.into_iter().map(|note| format!("{}: {}", note.path, note.message));
        lines.collect::<Vec<_>>().join("\n")
    };
    assert_snapshot!(notes(Place::Process), @"
    spec.container.env[0].valueFrom.fieldRef: values from fields of the pod need a cluster
    spec.container.image: container images do not choose anything here: commands run with the tools of this machine
    spec.job.labels: job settings need a cluster
    spec.pod: pod settings need a cluster
    spec.steps[0].container.resources.limits: limits of memory and CPU need containers
    spec.steps[0].container.securityContext: security settings need containers
    ");
    assert_snapshot!(notes(Place::Kube), @"");
}

#[test]
fn how_containers_follow_one_another_is_a_cluster_s() {
    for (place, layout) in [(Place::Kube, Layout::Sequential), (Place::Process, Layout::Together)] {
        let plan = planned("{system: {layout: sequential}, steps: [{shell: x}]}", place).unwrap();
        assert_eq!((plan.main.layout, plan.notes), (layout, vec![]));
    }
}

#[test]
fn executions_wait_for_those_of_their_group_or_else_of_their_workflow() {
    let concurrency = |text: &str| {
        let plan =
            planned(&format!("concurrency: {text}\ntimeouts: {{queue: 90s}}\nsteps: [{{shell: x}}]"), Place::Process);
        let plan = plan.unwrap();
        assert_eq!((plan.notes, plan.limits.queue), (vec![], Some(90_000)));
        plan.concurrency.map(|one| (one.group, one.max, one.cancel_in_progress))
    };
    assert_eq!(concurrency("{max: 2}"), Some(("wf".to_owned(), 2, false)));
    assert_eq!(concurrency("{max: 1, group: g, cancelInProgress: true}"), Some(("g".to_owned(), 1, true)));
    assert_eq!(concurrency("{group: g}"), None);
    assert_eq!(concurrency("{max: 0}"), None);
}

#[test]
fn a_file_cannot_come_from_a_key_of_another() {
    assert_snapshot!(pods("
        steps:
        - content: {files: [{path: a, contentFrom: {fileKeyRef: {volumeName: v, path: p, key: k}}}]}
          shell: make
    "), @"error: spec.steps[0].content.files[0]: the content of a file comes from a secret, a config map, a field or a resource");
}
