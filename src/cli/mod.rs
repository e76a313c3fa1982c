//! The command line: one file a verb. Parse, call one function, exit code.

mod actions;
mod agent;
mod bench;
mod compare;
mod completions;
mod demo;
mod doctor;
pub(crate) mod drill;
mod earlier;
mod exit;
mod explain;
mod followup;
mod history;
mod idle;
mod init;
mod keeper;
mod lint;
mod live;
mod note;
pub mod output;
mod plan;
mod recover;
mod review;
mod run;
mod schema;
mod sending;
mod series;
mod table;
mod validate;
mod verify;

pub use exit::Exit;

use clap::{Args, Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode};

/// Breaks containers on purpose, measures the recovery, and drafts the review.
#[derive(Debug, Parser)]
#[command(name = "firedrill", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "First steps:
  firedrill doctor                        what this host and Docker can do
  firedrill demo                          a real drill against a shop of its own, in a minute
  firedrill plan scenarios/demo.yaml      what a scenario would do; touches nothing
  firedrill run scenarios/demo.yaml       do it, and write the review

Exit codes:
  0 held          1 violated or not recovered    2 invalid input      3 could not run
  4 halted        5 cleanup unproven             6 undecided          7 baseline not met
  130 stopped by a person")]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

/// What every verb takes.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Print JSON for machines instead of text for people.
    #[arg(long, global = true)]
    pub json: bool,
    /// Print only what went wrong and the last line; for CI.
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Use colours: `auto` (a terminal, and no NO_COLOR), `always`, `never`.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: output::When,
}

/// Scenario files and their variables: what `run`, `plan` and `validate` have in common.
#[derive(Debug, Clone, Args)]
pub struct Scenarios {
    /// Scenario files, or folders of them.
    #[arg(required = true, value_name = "FILE|FOLDER")]
    pub paths: Vec<PathBuf>,
    /// Set a variable of the scenario; may be given several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub set: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is not NAME=VALUE"))?;
    Ok((name.into(), value.into()))
}

/// Who somebody is, as it is written into reviews: `accepted by Ada; ...`.
fn name(text: &str) -> Result<String, String> {
    let name = words(text)?;
    if name.contains(';') { Err("a name has no `;`, which parts the steps of a history".into()) } else { Ok(name) }
}

/// Words on one line.
fn words(text: &str) -> Result<String, String> {
    let words = text.trim();
    if words.is_empty() {
        return Err("there is nothing in it".into());
    }
    if words.contains(char::is_control) {
        return Err("it goes on one line, without line breaks and other controls".into());
    }
    Ok(words.to_owned())
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run scenarios: break, measure, undo, and write the review.
    Run(run::Run),
    /// Draft a first scenario from what runs in Docker, and from a few seconds of measuring.
    Init(init::Init),
    /// Print what would be done, to which containers, with every undo; touches nothing.
    Plan(plan::Plan),
    /// Check scenario files without Docker; all errors at once.
    Validate(validate::Validate),
    /// Write the review of a run folder again, keep what people wrote, and sign it.
    Review(review::Review),
    /// Where a figure comes from: definition, formula with the numbers put in, inputs, raw lines.
    Explain(explain::Explain),
    /// List all runs of a folder of reports, newest first.
    History(history::History),
    /// Two runs side by side: figures, what changed, and which difference is beyond noise.
    Compare(compare::Compare),
    /// Compute every figure of a review again, check digests, and find numbers that somebody changed.
    Verify(verify::Verify),
    /// What all reviews together owe: action items, open, overdue, by owner.
    Actions(actions::Actions),
    /// Run the drill that verifies an action item, and write what it says into the review.
    Followup(followup::Followup),
    /// Look for blame, guesses and vague words in a review; in ours, and in any Markdown.
    Lint(lint::Lint),
    /// Say something into the timeline of the drill that is running.
    Note(note::Words),
    /// Say that you are on it.
    Ack(note::Words),
    /// Say what you saw.
    Saw(note::Words),
    /// Say what was decided.
    Decided(note::Words),
    /// Ask the drill that is running to stop and undo, as ctrl-C does.
    Stop(note::Stop),
    /// Undo what a killed run left behind.
    Recover(recover::Recover),
    /// What this host and Docker can and cannot do, and how to mend it.
    Doctor(doctor::Doctor),
    /// A real drill against a small shop of its own; removes everything afterwards.
    Demo(demo::Demo),
    /// Print the JSON Schema of the scenario file.
    Schema(schema::Schema),
    /// Print shell completions.
    Completions(completions::Completions),
    /// Send load to a URL and print what it cost (for the bench script).
    #[command(hide = true)]
    BenchLoad(bench::BenchLoad),
    /// Beside a target: shape its packets on command, and let go by itself (runs inside helper containers).
    #[command(hide = true)]
    Agent(agent::Agent),
    /// Hold the undo list of a run, and play it when the run is gone (runs in a container beside its targets).
    #[command(hide = true)]
    Keeper(keeper::Keeper),
    /// Do nothing until SIGTERM (the command of test containers).
    #[command(hide = true)]
    Idle(idle::Idle),
    /// One role of the demo's shop (runs inside its containers).
    #[command(hide = true)]
    DemoServe(demo::DemoServe),
}

/// Parses what was typed and does it.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let global = cli.global;
    let done = match cli.verb {
        Verb::Run(verb) => verb.run(&global),
        Verb::Plan(verb) => verb.run(&global),
        Verb::Init(verb) => verb.run(&global),
        Verb::Validate(verb) => verb.run(&global),
        Verb::Review(verb) => verb.run(&global),
        Verb::Explain(verb) => verb.run(&global),
        Verb::History(verb) => verb.run(&global),
        Verb::Compare(verb) => verb.run(&global),
        Verb::Verify(verb) => verb.run(&global),
        Verb::Actions(verb) => verb.run(&global),
        Verb::Followup(verb) => verb.run(&global),
        Verb::Lint(verb) => verb.run(&global),
        Verb::Note(words) => words.run(crate::event::NoteKind::Note, &global),
        Verb::Ack(words) => words.run(crate::event::NoteKind::Ack, &global),
        Verb::Saw(words) => words.run(crate::event::NoteKind::Saw, &global),
        Verb::Decided(words) => words.run(crate::event::NoteKind::Decided, &global),
        Verb::Stop(verb) => verb.run(&global),
        Verb::Recover(verb) => verb.run(&global),
        Verb::Doctor(verb) => verb.run(&global),
        Verb::Demo(verb) => verb.run(&global),
        Verb::Schema(verb) => verb.run(&global),
        Verb::Completions(verb) => verb.run(&global),
        Verb::BenchLoad(verb) => verb.run(&global),
        Verb::Agent(verb) => verb.run(&global),
        Verb::Keeper(verb) => verb.run(&global),
        Verb::Idle(verb) => verb.run(&global),
        Verb::DemoServe(verb) => verb.run(&global),
    };
    match done {
        Ok(exit) => exit.into(),
        Err(error) => {
            output::complain(&error);
            Exit::Invalid.into()
        }
    }
}
