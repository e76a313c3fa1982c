//! The language from the outside: good files are understood, bad ones are explained.

use firedrill::{load::Body, scenario};
use std::{collections::BTreeMap, path::Path, time::Duration};

/// What the corpus may find in its environment.
fn env(name: &str) -> Option<String> {
    match name {
        "HOME" => Some("/root".into()),
        "TOKEN" | "DB_PASSWORD" => Some("not-to-be-seen".into()),
        _ => None,
    }
}

fn read(path: &Path) -> Result<scenario::Loaded, scenario::Diagnostics> {
    scenario::read(path, &BTreeMap::new(), &env)
}

#[test]
fn good_scenarios_are_understood() {
    insta::glob!("../scenarios/good", "*.yaml", |path| {
        let loaded = read(path).unwrap_or_else(|e| panic!("{e}"));
        insta::assert_json_snapshot!(loaded.scenario);
    });
}

#[test]
fn bad_scenarios_are_explained() {
    insta::glob!("../scenarios/bad", "*.yaml", |path| {
        let Err(mut errors) = read(path) else { panic!("{} is not bad", path.display()) };
        errors.path = path.file_name().unwrap().into();
        insta::assert_snapshot!(errors.render(false));
    });
}

#[test]
fn a_huge_file_is_refused_before_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.yaml");
    std::fs::write(&path, "tags: [a]\n".repeat(1 << 18)).unwrap();
    assert_eq!(read(&path).unwrap_err().errors[0].message, "the file is larger than 1 MiB");
    // Just under the limit it is read, and hostile in other ways: one endless line, a key twice ten thousand times.
    for text in [format!("tags: \"{}\"\n", "x".repeat(1_000_000)), "a: 1\n".repeat(20_000), "#".repeat(1_000_000)] {
        std::fs::write(&path, text).unwrap();
        let started = std::time::Instant::now();
        let errors = read(&path).unwrap_err();
        assert!(started.elapsed() < Duration::from_secs(10), "the work grows with the file, not with its square");
        assert!(errors.render(false).len() < 50_000, "an excerpt is an excerpt");
    }
}

#[test]
fn what_is_no_file_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().join("missing.yaml"), folder.path().to_owned()] {
        let errors = read(&path).unwrap_err().render(false);
        assert!(errors.starts_with("error: this file cannot be read: "), "{errors}");
    }
}

#[test]
fn a_later_error_is_shown_like_the_readers_own() {
    let loaded = read(Path::new("tests/scenarios/good/sketch.yaml")).unwrap();
    let place = loaded.scenario.targets[0].place;
    let errors = loaded.error_at(place, "no container matches", Some("`docker ps` shows what runs".into()));
    insta::assert_snapshot!(errors.render(false), @r"
    error: no container matches
     --> tests/scenarios/good/sketch.yaml:9:3
      |
    9 |   cache: { project: shop, service: redis, pick: all }
      |   ^^^^^
      |
      = help: `docker ps` shows what runs
    ");
}

#[test]
fn set_wins_over_the_file_and_the_file_over_the_environment() {
    let text = std::fs::read_to_string("tests/scenarios/good/smallest.yaml").unwrap();
    let url = |vars: &str, set: &[(&str, &str)], env: &dyn Fn(&str) -> Option<String>| {
        let text = text.replace("http://127.0.0.1:8080/", "http://${HOST}/") + vars;
        let set = set.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let loaded = scenario::read_text(Path::new("x"), text, &set, env).unwrap();
        match &loaded.scenario.probes[0].kind {
            scenario::ProbeSettings::Http(http) => http.url.clone(),
            _ => unreachable!(),
        }
    };
    let none = |_: &str| None;
    let some = |name: &str| (name == "HOST").then(|| "environment".to_owned());
    let vars = "vars: { HOST: file }";
    assert_eq!(url("", &[], &some), "http://environment/");
    assert_eq!(url(vars, &[], &some), "http://file/");
    assert_eq!(url(vars, &[("HOST", "set")], &some), "http://set/");
    assert_eq!(url("vars: { HOST: \"${HOST:-default}\" }", &[], &some), "http://environment/");
    assert_eq!(url("vars: { HOST: \"${HOST:-default}\" }", &[], &none), "http://default/");
}

#[test]
fn a_value_never_becomes_structure_or_a_secret() {
    let text = std::fs::read_to_string("tests/scenarios/good/smallest.yaml").unwrap();
    let text = text.replace("url: \"http://127.0.0.1:8080/\"", "url: \"http://a/\", body: \"${BODY}\"");
    let set = BTreeMap::from([("BODY".to_owned(), "x\" }\nfaults: [] ${env:TOKEN}".to_owned())]);
    let loaded = scenario::read_text(Path::new("x"), text, &set, &env).unwrap();
    let scenario::ProbeSettings::Http(http) = &loaded.scenario.probes[0].kind else { unreachable!() };
    assert_eq!(http.body, Some(Body::Text("x\" }\nfaults: [] $${env:TOKEN}".into())));
    assert_eq!(loaded.scenario.secrets, Vec::<String>::new());
}

#[test]
fn a_secret_that_is_written_out_is_refused_and_not_shown() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/bad/secrets-written-out.yaml");
    let errors = scenario::read(&path, &BTreeMap::new(), &|_| None).unwrap_err();
    assert_eq!(errors.errors.len(), 8, "{errors}");
    for shown in [errors.render(false), errors.as_json().to_string()] {
        assert!(!shown.contains("f00d") && shown.contains("${env:NAME}"), "{shown}");
    }
}

#[test]
fn a_command_may_name_a_secret() {
    let text = "scenario: x
targets: { cache: { project: shop, service: redis } }
load: { web: { http: { url: 'http://127.0.0.1:1/' }, rate: 50/s } }
expect: { during: { web: { errors: '<= 1%' } } }
faults:
  - exec: { target: cache, command: [redis-cli, -a, '${env:TOKEN}', ping], undo: [sh, -c, 'echo $${HOME}'] }
";
    let read = |text: String| scenario::read_text(Path::new("x.yaml"), text, &BTreeMap::new(), &|name| env(name));
    let scenario = read(text.to_owned()).unwrap_or_else(|errors| panic!("{errors}")).scenario;
    assert_eq!(scenario.secrets, ["TOKEN"]);
    let model = serde_json::to_string(&scenario).unwrap();
    assert!(model.contains("${env:TOKEN}") && !model.contains("not-to-be-seen"));
    assert!(read(text.replace("${env:TOKEN}", "${seq}")).is_err(), "a command is run once");
    assert!(read(text.replace("{ cache:", "{ '${env:TOKEN}':").replace("shop", "${env:TOKEN}")).is_err());
}

#[test]
fn secrets_stay_out_of_the_model_and_of_errors() {
    let loaded = read(Path::new("tests/scenarios/good/every-key.yaml")).unwrap();
    assert_eq!(loaded.scenario.secrets, ["TOKEN"]);
    let model = serde_json::to_string(&loaded.scenario).unwrap();
    assert!(model.contains("Bearer ${env:TOKEN}") && !model.contains("not-to-be-seen"));
    for entry in std::fs::read_dir("tests/it/snapshots").unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(!text.contains("not-to-be-seen"));
    }
}

#[test]
fn the_schema_and_the_reference_are_current() {
    for (path, current) in
        [("scenarios/schema.json", scenario::json_schema()), ("scenarios/README.md", scenario::reference())]
    {
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(kept == current, "{path} is not current: `make schema`, or see `firedrill schema --help`");
    }
}

fn firedrill(arguments: &[&str]) -> std::process::Output {
    assert_cmd::Command::cargo_bin("firedrill").unwrap().args(arguments).output().unwrap()
}

#[test]
fn validate_reports_every_file_and_exits_with_2() {
    let good = firedrill(&["validate", "tests/scenarios/good/sketch.yaml", "tests/scenarios/good/smallest.yaml"]);
    assert_eq!(good.status.code(), Some(0), "{good:?}");
    assert_eq!(String::from_utf8(good.stdout).unwrap().lines().last(), Some("2 scenarios, all valid"));

    let bad = firedrill(&["validate", "tests/scenarios/good/sketch.yaml", "tests/scenarios/bad/units.yaml"]);
    assert_eq!(bad.status.code(), Some(2));
    let words = String::from_utf8(bad.stderr).unwrap();
    assert!(
        words.contains("tests/scenarios/bad/units.yaml:7:11") && words.ends_with("1 of 2 scenarios invalid\n"),
        "{words}"
    );

    let folder = tempfile::tempdir().unwrap();
    let none = firedrill(&["validate", folder.path().to_str().unwrap()]);
    assert_eq!(none.status.code(), Some(2));
    assert!(String::from_utf8(none.stderr).unwrap().contains("no scenario"));
}

#[test]
fn validate_speaks_json() {
    let output =
        firedrill(&["validate", "--json", "tests/scenarios/good/sketch.yaml", "tests/scenarios/bad/units.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["files"][0]["valid"], true);
    let error = &json["files"][1]["errors"][1];
    assert_eq!((error["line"].as_u64(), error["column"].as_u64()), (Some(7), Some(11)));
    assert!(error["message"].as_str().unwrap().contains("not a rate"));
}
