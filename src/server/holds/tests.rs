use super::*;

fn key(command: &str) -> StepKey {
    StepKey::new(["/bin/sh", "-c", command], ["A=1"], "/", "")
}

fn step(command: &str, vertex: &str, caches: &[&str]) -> Step {
    Step {
        key: key(command),
        vertex: vertex.to_owned(),
        caches: caches.iter().map(|&id| id.to_owned()).collect(),
    }
}

fn failed(command: &str) -> FailedExec {
    FailedExec {
        op: serde_json::json!({"exec": {"meta": {
            "args": ["/bin/sh", "-c", command], "env": ["A=1"], "cwd": "/",
        }, "mounts": [{"dest": "/"}, {"mountType": "CACHE", "cacheOpt": {"ID": "c"}}]}}),
        input_ids: vec![],
        mount_ids: vec![],
    }
}

fn op(command: &str) -> Vec<u8> {
    let meta = pb::Meta {
        args: vec!["/bin/sh".into(), "-c".into(), command.into()],
        env: vec!["A=1".into()],
        cwd: "/".into(),
        ..pb::Meta::default()
    };
    let exec = pb::ExecOp {
        meta: Some(meta),
        ..pb::ExecOp::default()
    };
    pb::Op {
        op: Some(pb::op::Op::Exec(exec)),
        ..pb::Op::default()
    }
    .encode_to_vec()
}

fn seen() -> watch::Receiver<Seen> {
    watch::channel(Seen::default()).1
}

#[test]
fn a_step_has_one_key_in_the_failure_and_in_the_definition() {
    assert_eq!(
        Step::of_failed(&failed("false"), "v"),
        Some(step("false", "v", &["c"]))
    );
    let definition = pb::Definition {
        def: vec![op("true"), op("false"), b"\xff".to_vec()],
        ..pb::Definition::default()
    };
    let steps = steps(&definition);
    assert_eq!(steps.len(), 2);
    assert_eq!(steps[1].key, key("false"));
    let ignoring = ignoring_cache(&definition, &[steps[1].vertex.clone()]);
    assert!(ignoring.metadata[&steps[1].vertex].ignore_cache);
    assert_eq!(ignoring.def, definition.def);
}

#[test]
fn what_is_made_of_a_result_depends_on_it() {
    let after = |inputs: &[&Vec<u8>]| {
        let input = |op: &&Vec<u8>| pb::Input {
            digest: digest(op),
            index: 0,
        };
        let inputs = inputs.iter().map(input).collect();
        let own = pb::op::Op::File(pb::FileOp::default());
        pb::Op {
            inputs,
            op: Some(own),
            ..pb::Op::default()
        }
        .encode_to_vec()
    };
    let (a, b) = (op("a"), op("b"));
    let of_a = after(&[&a]);
    let of_b = after(&[&b]);
    let of_both = after(&[&of_b, &of_a]);
    let last = pb::Op {
        inputs: vec![pb::Input {
            digest: digest(&of_both),
            index: 0,
        }],
        ..pb::Op::default()
    };
    let def = [&a, &b, &of_a, &of_b, &of_both, &last.encode_to_vec()];
    let definition = pb::Definition {
        def: def.into_iter().cloned().collect(),
        ..pb::Definition::default()
    };
    let found = with_dependents(&definition, &[digest(&a)]);
    assert_eq!(found, [digest(&a), digest(&of_a), digest(&of_both)]);
    assert!(with_dependents(&pb::Definition::default(), &[]).is_empty());
}

#[tokio::test]
async fn a_held_step_is_passed_by_ignoring_its_cache_once() {
    let holds = Arc::new(Holds::default());
    let (yields, mut asked) = mpsc::channel(1);
    let first = holds
        .hold("e", "s1", step("x", "v", &[]), None, yields.clone())
        .unwrap();
    let steps = vec![step("x", "v", &[]), step("y", "w", &[])];
    let (second, bypass) = holds.run("e", "s2", steps.clone(), seen()).await;
    assert_eq!(bypass, ["v"]);
    let (_elsewhere, none) = holds.run("other", "s3", steps.clone(), seen()).await;
    assert!(none.is_empty());

    // The second failure is of the kind that cannot be passed: it gives way.
    second.ignores(&HashSet::from([key("x")]));
    let failed = step("x", "v", &[]);
    let held = holds
        .hold("e", "s2", failed, Some(&second), yields)
        .unwrap();
    drop(second);
    let second = held;
    let third = tokio::spawn({
        let (holds, steps) = (Arc::clone(&holds), steps.clone());
        async move { holds.run("e", "s3", steps, seen()).await.1 }
    });
    let request = asked.recv().await.unwrap();
    assert_eq!((request.to.as_str(), request.force), ("s3", true));
    drop(second);
    request.done.send(()).unwrap();
    assert_eq!(third.await.unwrap(), ["v"]);
    drop(first);
    assert!(holds.lock().held.is_empty());
}

#[tokio::test]
async fn nothing_is_held_before_a_build_that_is_still_to_come_to_the_step() {
    let holds = Arc::new(Holds::default());
    let steps = vec![step("x", "v", &[])];
    let (entry, bypass) = holds.run("e", "s2", steps, seen()).await;
    assert!(bypass.is_empty());
    let (yields, _asked) = mpsc::channel(1);
    let refused = holds.hold("e", "s1", step("x", "v", &[]), None, yields.clone());
    assert_eq!(refused.unwrap_err(), "s2");
    drop(entry);
    assert!(
        holds
            .hold("e", "s1", step("x", "v", &[]), None, yields)
            .is_ok()
    );
}

/// One of them ignores the cache, and the engine runs the step once for both.
#[tokio::test]
async fn failures_of_builds_that_ran_together_give_way() {
    let holds = Arc::new(Holds::default());
    let steps = vec![step("x", "v", &[]), step("y", "w", &[])];
    let (before, _) = holds.run("e", "s1", steps.clone(), seen()).await;
    let (between, _) = holds.run("e", "s2", steps.clone(), seen()).await;
    between.ignores(&HashSet::from([key("x")]));
    let (after, _) = holds.run("e", "s3", steps.clone(), seen()).await;
    let (elsewhere, _) = holds.run("other", "s4", steps.clone(), seen()).await;
    for entry in [&before, &between, &after, &elsewhere] {
        entry.over();
    }
    let uncached = |engine: &str, entry: &Entry, command: &str| {
        let (yields, _asked) = mpsc::channel(1);
        let step = step(command, "v", &[]);
        let held = holds.hold(engine, "s", step, Some(entry), yields).unwrap();
        holds.lock().held[&held.number].uncached
    };
    for entry in [&before, &between, &after] {
        assert!(uncached("e", entry, "x"));
        assert!(!uncached("e", entry, "y"));
    }
    assert!(!uncached("other", &elsewhere, "x"));
}

#[test]
fn steps_without_cache_are_known_by_their_definition() {
    let definition = pb::Definition {
        def: vec![op("true"), op("false")],
        ..pb::Definition::default()
    };
    assert!(uncached(&definition).is_empty());
    let ignoring = ignoring_cache(&definition, &[digest(&op("false"))]);
    assert_eq!(uncached(&ignoring), HashSet::from([key("false")]));
}

#[tokio::test]
async fn a_cache_that_is_wanted_is_asked_for_but_not_taken() {
    let holds = Arc::new(Holds::default());
    let (yields, mut asked) = mpsc::channel(1);
    let _entry = holds.hold("e", "s1", step("x", "v", &["c"]), None, yields);
    let other = tokio::spawn({
        let holds = Arc::clone(&holds);
        async move {
            holds
                .run("e", "s2", vec![step("y", "w", &["c"])], seen())
                .await
                .1
        }
    });
    let request = asked.recv().await.unwrap();
    assert!(!request.force);
    drop(request);
    assert!(other.await.unwrap().is_empty());
}
