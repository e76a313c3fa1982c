//! The review as data: every word and figure that any format shows, computed from findings and nothing else.
//! Texts in here are plain; each format escapes them in its own way.

pub(super) mod again;
mod appendix;
mod decide;
mod detection;
mod factors;
mod hypothesis;
mod impact;
mod lanes;
mod lessons;
mod limits;
pub(super) mod look;
mod past;
mod pictures;
mod response;
mod sentences;
mod tiles;
mod timeline;
mod triggers;
mod trust;
pub(super) mod verdict;

pub use appendix::{Appendix, FaultRecord, FigureRow, OperationRow};
pub(super) use decide::quoted;
pub use decide::{Answer, Prompt};
pub use detection::{AlertTable, AlertWords};
pub use factors::Factor;
pub use hypothesis::CriterionRow;
pub use impact::{ClassRow, Column, ImpactTable};
pub use lessons::Lessons;
pub use look::{Look, phase_name};
pub use past::PastRun;
pub use pictures::Picture;
pub use response::Response;
pub use tiles::Tile;
pub use timeline::Row;
pub use verdict::{Banner, criterion_name, criterion_reading, fact_words};

use super::{
    action::{self, ActionItem, Priority, Verify},
    people::{self, Standing, Written},
    rules::{self, RuleHit},
};
use crate::analysis::Findings;
use schemars::JsonSchema;
use sentences::Sections;
use serde::Serialize;

/// A whole review.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Review {
    /// The run's id.
    pub run: String,
    /// The scenario's name.
    pub scenario: String,
    /// One line for people.
    pub title: String,
    /// What was believed.
    pub hypothesis: Option<String>,
    /// Where the terms of the drill are recorded: evidence ids.
    pub terms_evidence: Vec<String>,
    /// The user-facing service.
    pub of: Option<String>,
    /// Who owns the review.
    pub owner: Option<String>,
    /// Who said something during the drill, in order.
    pub participants: Vec<String>,
    /// Free tags.
    pub tags: Vec<String>,
    /// When it started, in UTC.
    pub started: String,
    /// The same for machines, RFC 3339.
    pub started_iso: String,
    /// The same on the clocks of the people there, if that is not UTC.
    pub started_local: Option<String>,
    /// How long it took.
    pub took: String,
    /// The tool's version.
    pub version: String,
    /// How far it has come.
    pub standing: Standing,
    /// Verdict word, why, status.
    pub banner: Banner,
    /// What we did; what users of the probe saw; how it ended.
    pub sentences: Vec<Sentence>,
    /// What people wrote, section by section; empty in a draft.
    pub people: Vec<Written>,
    /// What needs a person, at most five.
    pub prompts: Vec<Prompt>,
    /// About how long the prompts take, and the decisions on the action items that press.
    pub minutes: u32,
    /// How many there are of both: `2 questions, 1 action, 4 min`; null for nothing.
    pub to_decide: Option<String>,
    /// Five figures.
    pub tiles: Vec<Tile>,
    /// How far the figures can be trusted.
    pub trust: Told,
    /// Where, how much, and what came of it last time.
    pub scope: Told,
    /// The first is the chart above the fold.
    pub pictures: Vec<Picture>,
    /// Expected and observed.
    pub criteria: Vec<CriterionRow>,
    /// Names of probes that are recorded and not judged.
    pub not_judged: Vec<String>,
    /// The story, milestones marked.
    pub timeline: Vec<Row>,
    /// How many more rows the full log has.
    pub timeline_left_out: usize,
    /// A passing drill that met no review trigger: one page is enough.
    pub record: bool,
    /// Which review triggers were met; for a record, that none was.
    pub triggers: Told,
    /// Before, during, after, one table a probe.
    pub impact: Vec<ImpactTable>,
    /// The same for probes that were only recorded.
    pub impact_beside: Vec<ImpactTable>,
    /// Degraded window, excess, outages: facts beside the tables.
    pub impact_facts: Vec<Fact>,
    /// What it would have cost of the error budget, where there is an SLO.
    pub budget: Option<Fact>,
    /// Containers outside the targets to which something happened.
    pub blast: Vec<Fact>,
    /// How many were watched outside the targets.
    pub watched: usize,
    /// What told of the fault, and who or what restored service.
    pub response: Response,
    /// What contributed, observed or as a hypothesis.
    pub factors: Vec<Factor>,
    /// What the rules found, the gravest first.
    #[serde(skip)]
    pub hits: Vec<RuleHit>,
    /// What is proposed: of each finding one item, the gravest first; those after the first few are folded away.
    pub actions: Vec<Action>,
    /// How many of them are folded away.
    pub folded_actions: usize,
    /// What reviews of earlier runs owed when this one began, in a sentence.
    pub open_before: Option<String>,
    /// The tries of the gate, with their readings.
    pub tries: Vec<Fact>,
    /// What went well, what did not, where it was luck.
    pub lessons: Lessons,
    /// What the evidence leaves open.
    pub questions: Vec<Told>,
    /// What the measurement does not tell.
    pub limits: Vec<Told>,
    /// The same scenario before, newest first.
    pub earlier: Vec<PastRun>,
    /// Where that is recorded: evidence ids.
    pub earlier_evidence: Vec<String>,
    /// Everything else.
    pub appendix: Appendix,
    /// Shorter: nothing was injected.
    pub not_started: bool,
    /// The journal stops before the end.
    pub cut_short: bool,
    /// The command that undoes what may be left, when that is not proven.
    pub recover: Option<String>,
}

/// One of the three sentences above the fold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Sentence {
    /// `What we did`.
    pub lead: &'static str,
    /// The sentence.
    pub text: String,
    /// Evidence ids.
    pub evidence: Vec<String>,
}

/// A sentence with its evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Told {
    /// The sentence.
    pub text: String,
    /// Evidence ids.
    pub evidence: Vec<String>,
}

/// A named fact with its evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Fact {
    /// What it is.
    pub name: String,
    /// What it came to.
    pub text: String,
    /// Evidence ids.
    pub evidence: Vec<String>,
}

/// An action item, as each format shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Action {
    /// All of it.
    #[serde(flatten)]
    pub item: ActionItem,
    /// The same as a stretch of Markdown.
    pub markdown: String,
    /// Its state in words.
    pub state_words: String,
    /// What verifies it, in words.
    pub verified_by: String,
    /// Shown at once, or folded away.
    pub visible: bool,
}

impl Review {
    /// Computes the review. The sections come first, the summary from them.
    pub fn of(findings: &Findings) -> Review {
        let look = Look::at(findings);
        let run = &findings.run;
        let triggers = triggers::met(&look);
        // Where a record is enough, one question is.
        let most = if triggers.is_empty() { 1 } else { usize::MAX };
        let hits = rules::hits(findings);
        let prompts: Vec<Prompt> = decide::prompts(&look, &hits).into_iter().take(most).collect();
        let (timeline, timeline_left_out) = timeline::story(&look, triggers.is_empty());
        let terms_evidence = look.cite(&look.terms_evidence());
        let (expected, impact, response) =
            (hypothesis::expected(&look), impact::impact(&look), response::response(&look));
        let tries = limits::tries(&look);
        let sentences = sentences::three(&Sections {
            not_started: look.not_started(),
            cut_short: run.cut_short,
            terms: &terms_evidence,
            tries: &tries,
            expected: &expected,
            impact: &impact,
            response: &response,
        });
        let actions = actions(findings, &hits);
        // Eight of them, which is the most, take about two minutes.
        let decisions = actions.iter().filter(|action| action.visible).count();
        let minutes = prompts.iter().map(|p| p.minutes).sum::<u32>() + decisions.div_ceil(4) as u32;
        Review {
            run: run.id.clone(),
            scenario: run.scenario.clone(),
            title: run.title.clone(),
            hypothesis: run.hypothesis.clone(),
            terms_evidence,
            of: run.of.clone(),
            owner: run.owner.clone(),
            participants: participants(findings),
            tags: run.tags.clone(),
            started: crate::review::quantity::utc(run.started),
            started_iso: run.started.to_string(),
            started_local: look.local_start(),
            took: crate::review::quantity::span(run.ended),
            version: run.version.clone(),
            standing: Standing::of(findings),
            people: vec![],
            banner: verdict::banner(&look, &expected),
            sentences,
            minutes,
            to_decide: to_decide(prompts.len(), decisions, minutes),
            prompts,
            tiles: tiles::tiles(&look),
            trust: trust::trust(&look),
            scope: trust::scope(&look),
            pictures: pictures::pictures(&look),
            criteria: expected.rows,
            not_judged: findings.probes.iter().filter(|p| !p.judged).map(|p| p.name.clone()).collect(),
            timeline,
            timeline_left_out,
            record: triggers.is_empty(),
            triggers: triggers::line(&look, &triggers),
            impact: impact.tables,
            impact_beside: impact.beside,
            impact_facts: impact.facts,
            budget: impact.budget,
            blast: impact::blast(&look),
            watched: findings.scope.neighbours.len(),
            response,
            factors: factors::factors(&look, &hits),
            open_before: again::open_before(findings),
            folded_actions: actions.iter().filter(|action| !action.visible).count(),
            actions,
            hits,
            tries,
            lessons: lessons::lessons(&look),
            questions: limits::questions(&look),
            limits: limits::lines(&look),
            earlier: past::runs(&look),
            earlier_evidence: look.cite_some(findings.earlier_at, 1),
            appendix: appendix::appendix(&look),
            not_started: look.not_started(),
            cut_short: run.cut_short,
            recover: verdict::recover(&look),
        }
    }

    /// The same, as far as people have taken it.
    pub fn standing(mut self, standing: Standing) -> Review {
        self.banner.status = standing.words();
        self.owner.clone_from(&standing.owner);
        self.standing = standing;
        self
    }

    /// The same with what people wrote into its text; `generated` is what they were given.
    pub fn with_people(mut self, generated: &str, text: &str) -> Review {
        self.people = people::written(generated, text);
        for prompt in &mut self.prompts {
            let markdown = people::open::answer(text, prompt.about);
            prompt.answer = markdown.map(|markdown| Answer { html: people::html(&markdown), markdown });
        }
        let (items, _) = action::read(text);
        let mut actions: Vec<Action> = Vec::new();
        for item in items {
            let proposed = self.actions.iter().find(|action| action.item.id == item.id);
            let visible = proposed.is_none_or(|action| action.visible);
            actions.push(Action { visible: visible || item.state != action::State::Proposed, ..shown(item) });
        }
        self.folded_actions = actions.iter().filter(|action| !action.visible).count();
        self.actions = actions;
        // An answer stands below its question, and once is enough.
        let answers: Vec<&str> =
            self.prompts.iter().filter_map(|p| Some(p.answer.as_ref()?.markdown.as_str())).collect();
        self.people.retain(|part| {
            let said = part.markdown.trim().trim_start_matches(people::open::ANSWER).trim();
            !part.replaced.is_empty() || !answers.contains(&said)
        });
        self
    }
}

fn to_decide(questions: usize, items: usize, minutes: u32) -> Option<String> {
    let count = |n: usize, one, many| (n > 0).then(|| crate::review::quantity::plural(n as u64, one, many));
    let both = [count(questions, "question", "questions"), count(items, "action", "actions")];
    let both: Vec<String> = both.into_iter().flatten().collect();
    (!both.is_empty()).then(|| format!("{}, {minutes} min", both.join(", ")))
}

fn participants(findings: &Findings) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for note in &findings.notes {
        if !names.contains(&note.who) {
            names.push(note.who.clone());
        }
    }
    names
}

fn actions(findings: &Findings, hits: &[RuleHit]) -> Vec<Action> {
    let items = rules::actions(findings, hits).into_iter().enumerate();
    let ranked = |(i, item): (usize, ActionItem)| Action {
        visible: i < rules::VISIBLE && item.priority < Priority::P3,
        ..shown(item)
    };
    items.map(ranked).collect()
}

fn shown(item: ActionItem) -> Action {
    Action {
        markdown: item.markdown(),
        state_words: item.state_words(),
        verified_by: match &item.verify {
            Verify::Scenario { scenario, criterion } => format!("a run of {scenario}: {criterion}"),
            Verify::Person(how) => how.clone(),
        },
        visible: true,
        item,
    }
}
