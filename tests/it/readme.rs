//! What the README says is so.

use crate::{drill::FIREDRILL, examples::kinds_of};
use firedrill::{cli::Exit, scenario};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).unwrap()
}

/// The fenced blocks of a language.
pub fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap_or_default().to_owned()).collect()
}

/// What the first column of the table under a heading holds in backquotes, or bare.
fn first_column(text: &str, heading: &str) -> BTreeSet<String> {
    let section = text.split(&format!("\n{heading}")).nth(1).unwrap_or_else(|| panic!("no `{heading}`"));
    let rows = section.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let cells = rows.take_while(|line| line.starts_with('|')).map(|line| line.split('|').nth(1).unwrap_or_default());
    cells.flat_map(|cell| cell.split(',').map(|word| word.trim().trim_matches('`').to_owned())).collect()
}

fn help(arguments: &[&str]) -> String {
    let told = Command::new(FIREDRILL).args(arguments).arg("--help").output().unwrap();
    assert!(told.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&told.stderr));
    String::from_utf8(told.stdout).unwrap()
}

/// The verbs that the help lists.
fn verbs() -> BTreeSet<String> {
    let help = help(&[]);
    let list = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap().to_owned();
    let names = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).filter(|&name| name != "help").map(String::from).collect()
}

#[test]
fn its_scenarios_are_valid() {
    for text in blocks(&readme(), "yaml") {
        let read = scenario::read_text(Path::new("README.md"), text, &BTreeMap::new(), &|_| None);
        if let Err(errors) = read {
            panic!("{}", errors.render(false));
        }
    }
}

#[test]
fn its_commands_are_understood() {
    let blocks = blocks(&readme(), "sh");
    let lines = blocks.iter().flat_map(|block| block.lines());
    let commands: Vec<&str> = lines.filter_map(|line| line.trim().strip_prefix("firedrill ")).collect();
    assert!(commands.len() >= 5, "{commands:?}");
    for command in commands {
        let words: Vec<&str> = command.split_whitespace().take_while(|word| !word.starts_with('#')).collect();
        let named: Vec<&str> = words.iter().copied().filter(|word| !word.contains(['.', '-', '/'])).collect();
        help(&named);
    }
}

#[test]
fn its_verbs_are_those_of_the_help() {
    assert_eq!(first_column(&readme(), "## Verbs"), verbs());
}

#[test]
fn its_exit_codes_are_those_of_the_code() {
    let codes: BTreeSet<String> = Exit::WORST_FIRST.iter().map(|&exit| (exit as u8).to_string()).collect();
    assert_eq!(first_column(&readme(), "## Exit codes"), codes);
    let series: Vec<String> =
        Exit::WORST_FIRST.iter().filter(|exit| **exit != Exit::Invalid).map(|&e| (e as u8).to_string()).collect();
    assert!(readme().contains(&format!("in the order {}", series.join(", "))), "{series:?}");
}

#[test]
fn its_faults_and_probes_are_those_of_the_schema() {
    let text = readme();
    assert_eq!(first_column(&text, "| fault |"), kinds_of("fault"));
    assert_eq!(first_column(&text, "| probe |"), kinds_of("probe"));
}

#[test]
fn its_links_and_folders_are_there() {
    for file in ["README.md", "CONTRIBUTING.md"] {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        let linked = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let named = text
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|word| word.starts_with("scenarios/") || word.starts_with("src/"));
        for path in linked.chain(named).filter(|path| !path.contains("://") && !path.contains(['*', ' ', '<'])) {
            assert!(root().join(path).exists() || path.contains("yours"), "{file} names {path}");
        }
    }
}

#[test]
fn its_make_targets_are_there() {
    let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
    let texts = [readme(), std::fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap()];
    for block in texts.iter().flat_map(|text| blocks(text, "sh")) {
        for target in block.lines().filter_map(|line| line.trim().strip_prefix("make ")) {
            let target = target.split_whitespace().next().unwrap_or_default();
            assert!(makefile.contains(&format!("\n{target}:")), "make {target}");
        }
    }
}
