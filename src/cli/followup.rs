//! `firedrill followup`: runs the drill that verifies an action item, and writes what it says into the review.

use super::{
    Exit, Global,
    actions::{Place, write_back},
    compare,
    drill::{self, Done, Request},
    history, output,
};
use crate::{
    analysis::compare::{Case, Comparison, compare as side_by_side},
    clock::RunClock,
    engine::signals::Stops,
    history::{
        Past, Reports,
        followup::{self, Checked, Outcome},
        owed,
        report::{self, Parts, Row},
    },
    journal::RunFolder,
    plan,
    review::{
        action::{ActionItem, Verify},
        escape::plain,
        rules,
    },
    scenario::{self, Loaded},
};
use anyhow::{Context, bail};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Arguments of `firedrill followup`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Only a run that went through and was decided (held or violated) closes an item. Its criterion met, the item is
`verified` by that run; not met, an item that was said to be done is `regressed`, and any other stays as it is, with a
note. `rule R finds nothing on X` is met by a run in which R could have found it: X was there, and so was what R looks
at. A criterion that the run judged nothing of is undecided, and changes nothing. The state and a line of history are written into the review that the item stands in, and `followup.md` into
the folder of the new run.

Due is what is said to be done or has regressed, and what was taken up and has reached its day.

Examples:
  firedrill followup A-3f9a1c2b
  firedrill followup --due --dry-run      what would be run, and for which items; touches nothing
  firedrill followup --due --json"
)]
pub struct Followup {
    /// Ids of action items: `A-3f9a1c2b`.
    #[arg(required_unless_present = "due", conflicts_with = "due")]
    pub ids: Vec<String>,
    /// Everything that is due.
    #[arg(long)]
    pub due: bool,
    /// Only print what would be run.
    #[arg(long)]
    pub dry_run: bool,
    /// Run this scenario instead of the one that the items name (it was moved).
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// Set a variable of the scenario; may be given several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = super::pair)]
    pub set: Vec<(String, String)>,
    /// Let `exec` probes without a target run their commands on this host.
    #[arg(long)]
    pub allow_host_exec: bool,
    /// Go without a keeper: if firedrill is killed, its faults stay on until `firedrill recover`.
    #[arg(long)]
    pub no_keeper: bool,
    #[command(flatten)]
    pub place: Place,
}

/// The items that one drill verifies.
type Group<'a> = Vec<(&'a Past, &'a ActionItem)>;

/// What became of an item.
#[derive(Serialize)]
struct Told {
    id: String,
    #[serde(flatten)]
    checked: Checked,
    /// The run that was asked; null if none could be made.
    run: Option<String>,
    /// The review that the item stands in.
    review: String,
    /// Why the review does not say so; null if it does, or if there was nothing to write.
    not_written: Option<String>,
}

impl Followup {
    /// Runs what is needed, and says what came of it.
    ///
    /// # Errors
    /// If an item is not there or names no scenario, or a scenario or review cannot be read.
    pub fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        let clock = RunClock::start();
        let reports = self.place.read()?;
        let (chosen, mut told) = self.groups(&reports)?;
        let (mut groups, mut loaded) = (BTreeMap::new(), Vec::new());
        for (path, group) in chosen {
            match self.load(&path, global)? {
                Some(one) => {
                    loaded.push(one);
                    groups.insert(path, group);
                }
                None if self.due => told.extend(unasked(&group, &format!("{} is not valid", path.display()))),
                None => return Ok(Exit::Invalid),
            }
        }
        if groups.is_empty() && told.is_empty() {
            output::say(if global.json { "[]" } else { "nothing is due" });
            return Ok(Exit::Held);
        }
        if self.dry_run {
            told.iter()
                .for_each(|one| output::warn(format_args!("error: {}: {}", plain(&one.id), plain(&one.checked.why))));
            dry_run(&groups, &loaded, global)?;
            return Ok(if told.is_empty() { Exit::Held } else { Exit::Invalid });
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let done = runtime.block_on(self.drills(&loaded, clock, global));
        // An operation that hangs must not hold the end of the program.
        runtime.shutdown_background();
        let done = done?;
        let exits = done.iter().map(|done| done.exit).collect();
        for (number, group) in groups.values().enumerate() {
            told.extend(match done.get(number) {
                Some(done) => self.conclude(group, done, &reports)?,
                None => unasked(group, "the drills were ended before this one"),
            });
        }
        history::refresh_site(&self.place.reports);
        tell(&told, global)?;
        told.iter()
            .filter_map(|one| one.not_written.as_ref())
            .for_each(|why| output::warn(format_args!("error: {why}")));
        Ok(exit(&told, exits))
    }

    /// What is to be followed up, by the scenario that verifies it. Of what is due, an item whose scenario is not there
    /// keeps no other from being followed up.
    fn groups<'a>(&self, reports: &'a Reports) -> anyhow::Result<(BTreeMap<PathBuf, Group<'a>>, Vec<Told>)> {
        let today = self.place.today();
        let chosen: Group<'a> = match self.due {
            true => owed::all(reports).filter(|(_, item)| followup::due(item, today)).collect(),
            false => {
                let find = |id: &String| owed::find(reports, id).map_err(anyhow::Error::msg);
                self.ids.iter().map(find).collect::<anyhow::Result<_>>()?
            }
        };
        let (mut groups, mut without) = (BTreeMap::<PathBuf, Group<'a>>::new(), Vec::new());
        let mut seen = BTreeSet::new();
        for (past, item) in chosen.into_iter().filter(|(_, item)| seen.insert(item.id.as_str())) {
            let Verify::Scenario { scenario, .. } = &item.verify else {
                bail!("{} names no scenario that verifies it; a person does, with `firedrill actions done`", item.id);
            };
            let file = match self.file(scenario, item) {
                Err(error) if self.due => {
                    without.extend(unasked(&vec![(past, item)], &error.to_string()));
                    continue;
                }
                found => found?,
            };
            let known = groups.keys().find(|known| same(known, &file)).cloned();
            groups.entry(known.unwrap_or(file)).or_default().push((past, item));
        }
        Ok((groups, without))
    }

    /// The scenario's file: as it was typed then, from here or from where the reports are.
    fn file(&self, scenario: &str, item: &ActionItem) -> anyhow::Result<PathBuf> {
        if let Some(file) = &self.scenario {
            return Ok(file.clone());
        }
        let beside = self.place.reports.parent().map(|folder| folder.join(scenario));
        let places = std::iter::once(PathBuf::from(scenario)).chain(beside);
        places.into_iter().find(|path| path.is_file()).with_context(|| {
            format!("{} is verified by {}, which is not there; name it with --scenario FILE", item.id, plain(scenario))
        })
    }

    /// `None` (and the errors printed) if it is invalid.
    fn load(&self, path: &Path, global: &Global) -> anyhow::Result<Option<Loaded>> {
        let set: BTreeMap<String, String> = self.set.iter().cloned().collect();
        match scenario::read(path, &set, &|name| std::env::var(name).ok()) {
            Ok(loaded) => Ok(Some(loaded)),
            Err(errors) => {
                output::warn(errors.render(global.color.stderr()));
                Ok(None)
            }
        }
    }

    async fn drills(&self, loaded: &[Loaded], clock: RunClock, global: &Global) -> anyhow::Result<Vec<Done>> {
        let stops = Stops::listen(super::run::give_up)?;
        let request = Request {
            reports: self.place.reports.clone(),
            seed: None,
            strict: false,
            keeper: !self.no_keeper,
            plan: plan::Options { allow_host_exec: self.allow_host_exec },
            command: std::env::args().collect(),
        };
        let mut done: Vec<Done> = Vec::new();
        for (number, one) in loaded.iter().enumerate() {
            if let Some(last) = done.last() {
                if stops.asked() || matches!(last.exit, Exit::CleanupUnproven | Exit::Stopped) {
                    break;
                }
                drill::settled(&last.targets, &stops).await;
            }
            let clock = if number == 0 { clock } else { RunClock::start() };
            done.push(drill::drill(one, &request, &stops, clock, global).await?);
        }
        Ok(done)
    }

    /// Asks a run about its items, and writes down what it says.
    fn conclude(&self, group: &Group<'_>, done: &Done, reports: &Reports) -> anyhow::Result<Vec<Told>> {
        let (Some(findings), Some(folder)) = (&done.findings, &done.folder) else {
            let why = done.trouble.clone().unwrap_or_else(|| "the run left nothing to read".into());
            return Ok(unasked(group, &why));
        };
        let hits = rules::hits(findings);
        let checks: Vec<Checked> = group.iter().map(|(_, item)| followup::check(item, findings, &hits)).collect();
        let rows: Vec<Row<'_>> = group
            .iter()
            .zip(&checks)
            .map(|((past, item), checked)| Row { item, checked, review: past.review() })
            .collect();
        let all = owed::owed(reports, self.place.today());
        let ours = |id: &str| group.iter().any(|(_, item)| item.id == id);
        let overdue: Vec<owed::Owed<'_>> =
            all.into_iter().filter(|owed| owed.overdue && !ours(&owed.item.id)).collect();
        let text = report::markdown_of(&Parts {
            run: &findings.run.id,
            title: &findings.run.title,
            verdict: &findings.verdict.word.to_string(),
            rows: &rows,
            compared: &self.compared(group, folder),
            overdue: &overdue,
        });
        let file = folder.path().join("followup.md");
        fs::write(&file, text).with_context(|| format!("{} cannot be written", file.display()))?;
        let one = |((past, item), checked): (&(&Past, &ActionItem), &Checked)| {
            let after = followup::after(item, checked, &findings.run.id, self.place.today());
            let file = self.place.reports.join(past.review());
            // One review that cannot be written must not keep the others from being written.
            let not_written = after.and_then(|after| write_back(&file, &after).err()).map(|error| format!("{error:#}"));
            Told { not_written, ..told(past, item, checked, Some(folder)) }
        };
        Ok(group.iter().zip(&checks).map(one).collect())
    }

    /// The runs that the items come from, each against the new one; those that cannot be read any more are left out.
    fn compared(&self, group: &Group<'_>, folder: &RunFolder) -> Vec<Comparison> {
        let mut earlier: Vec<&str> = group.iter().map(|(past, _)| past.folder.as_str()).collect();
        earlier.dedup();
        let Ok(now) = Case::read(folder) else { return vec![] };
        let read = |name: &&str| Case::read(&compare::folder(Path::new(name), &self.place.reports).ok()?).ok();
        earlier.iter().filter_map(read).map(|then| side_by_side(&then, &now)).collect()
    }
}

/// Whether two paths lead to one file, however they were typed.
fn same(one: &Path, other: &Path) -> bool {
    one == other || one.canonicalize().is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other))
}

fn told(past: &Past, item: &ActionItem, checked: &Checked, folder: Option<&RunFolder>) -> Told {
    let (id, checked) = (item.id.clone(), checked.clone());
    Told { id, checked, run: folder.map(RunFolder::run), review: past.review(), not_written: None }
}

/// Items that no run was asked about.
fn unasked(group: &Group<'_>, why: &str) -> Vec<Told> {
    let checked = Checked { outcome: Outcome::Undecided, why: why.to_owned() };
    group.iter().map(|(past, item)| told(past, item, &checked, None)).collect()
}

fn dry_run(groups: &BTreeMap<PathBuf, Group<'_>>, loaded: &[Loaded], global: &Global) -> anyhow::Result<Exit> {
    #[derive(Serialize)]
    struct Would<'a> {
        scenario: &'a Path,
        items: Vec<&'a ActionItem>,
    }
    if global.json {
        let would =
            groups.iter().map(|(path, group)| Would { scenario: path, items: group.iter().map(|(_, i)| *i).collect() });
        output::say(serde_json::to_string_pretty(&would.collect::<Vec<_>>())?);
        return Ok(Exit::Held);
    }
    for ((path, group), loaded) in groups.iter().zip(loaded) {
        output::say(format_args!("would run {} ({})", path.display(), plain(&loaded.scenario.name)));
        for (_, item) in group {
            let Verify::Scenario { criterion, .. } = &item.verify else { continue };
            output::say(format_args!("  {}  {}: {}", plain(&item.id), plain(&item.state_words()), plain(criterion)));
        }
    }
    Ok(Exit::Held)
}

fn tell(told: &[Told], global: &Global) -> anyhow::Result<()> {
    if global.json {
        output::say(serde_json::to_string_pretty(told)?);
        return Ok(());
    }
    for one in told {
        output::say(format_args!("{}  {}: {}", plain(&one.id), one.checked.outcome.name(), plain(&one.checked.why)));
    }
    Ok(())
}

/// All verified is well; what was not reached, or is undecided, ends as its run did.
fn exit(told: &[Told], exits: Vec<Exit>) -> Exit {
    if told.iter().any(|one| one.not_written.is_some()) {
        return Exit::Invalid;
    }
    let any = |outcome| told.iter().any(|one| one.checked.outcome == outcome);
    let grave =
        exits.iter().copied().filter(|exit| matches!(exit, Exit::CleanupUnproven | Exit::Stopped | Exit::Halted));
    let open = (any(Outcome::NotYet) || any(Outcome::Regressed)).then_some(Exit::Violated);
    let undecided = any(Outcome::Undecided)
        .then(|| Exit::worst(exits.iter().copied().filter(|exit| *exit != Exit::Held && *exit != Exit::Violated)))
        .map(|exit| if exit == Exit::Held { Exit::Undecided } else { exit });
    Exit::worst(grave.chain(open).chain(undecided))
}
