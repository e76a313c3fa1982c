//! The rules, as data: what each one looks for, where, and what to write instead. Each has examples that must and must
//! not set it off; a test tries them all.

use super::{
    Level,
    prose::{Block, CODE, Document, Kind, Section},
};
use regex::Regex;
use std::{ops::Range, sync::LazyLock};

/// Where a rule applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Everywhere.
    All,
    /// Everywhere but among action items and under "Decide".
    NotActions,
    /// Timeline, what happened, contributing factors.
    Story,
    /// Summary and contributing factors, but not in headings.
    Opinion,
    /// Summary, contributing factors, what went wrong.
    Judgement,
    /// Action items.
    Actions,
    /// Questions to people.
    Prompts,
    /// Everywhere but among action items, in answers, in the appendix and in headings.
    Body,
}

impl Scope {
    /// Whether a block lies in it.
    pub fn holds(self, block: &Block) -> bool {
        use Section::*;
        match self {
            Scope::All => true,
            Scope::NotActions => !matches!(block.section, Actions | Prompts),
            Scope::Story => matches!(block.section, Timeline | Told | Factors),
            Scope::Opinion => matches!(block.section, Summary | Factors) && block.kind != Kind::Heading,
            Scope::Judgement => matches!(block.section, Summary | Factors | Wrong),
            // Of the named lines of an item, only its end state is prose.
            Scope::Actions => {
                block.section == Actions && block.kind != Kind::Paragraph && !NAMED_LINE.is_match(&block.text)
            }
            Scope::Prompts => block.section == Prompts && block.kind != Kind::Heading,
            // What is proposed is no measurement, and what somebody saw is their word.
            Scope::Body => !matches!(block.section, Appendix | Actions | Prompts) && block.kind != Kind::Heading,
        }
    }

    /// Where it applies, for people.
    pub fn name(self) -> &'static str {
        match self {
            Scope::All => "everywhere",
            Scope::NotActions => "everywhere but among action items and under \"Decide\"",
            Scope::Story => "in the timeline, what happened, impact and contributing factors",
            Scope::Opinion => "in the summary and contributing factors",
            Scope::Judgement => "in the summary, contributing factors and what went wrong",
            Scope::Actions => "among action items",
            Scope::Prompts => "in questions to people",
            Scope::Body => "everywhere but among action items, in answers, in the appendix and in headings",
        }
    }
}

/// What a rule looks at besides the words of one block.
pub struct Context<'a> {
    /// The whole text.
    pub document: &'a Document,
    /// Whether it cites evidence anywhere.
    pub cites: bool,
    /// Whether the measured availability was zero at some time; `None` if nobody knows.
    pub outage: Option<bool>,
}

/// One rule of blameless language.
pub struct Rule {
    /// Its name in findings and suppressions.
    pub id: &'static str,
    /// How grave.
    pub level: Level,
    /// Where it applies.
    pub scope: Scope,
    /// What is the matter, for people.
    pub says: &'static str,
    /// What to write instead.
    pub instead: &'static str,
    /// Patterns of what it looks for, without regard to case; `${person}` stands for a role or a participant, `${name}` for
    /// a participant.
    pub words: &'static [&'static str],
    /// What words alone cannot tell: places in a block's text.
    pub code: fn(&Block, &Context<'_>) -> Vec<Range<usize>>,
    /// What is no match although it looks like one.
    pub spares: &'static [&'static str],
    /// What was measured makes the words true.
    pub unless: fn(&Context<'_>) -> bool,
    /// Whether quoted speech is left alone.
    pub spares_quotes: bool,
    /// Only where it is asked for.
    pub off: bool,
    /// Why a linter that knows only patterns cannot look for it; empty where it can.
    pub only_here: &'static str,
    /// Texts that set it off, each under a heading of its scope.
    pub fires: &'static [&'static str],
    /// Texts that do not.
    pub rests: &'static [&'static str],
}

const RULE: Rule = Rule {
    id: "",
    level: Level::Error,
    scope: Scope::All,
    says: "",
    instead: "",
    words: &[],
    code: |_, _| vec![],
    spares: &[],
    unless: |_| false,
    spares_quotes: false,
    off: false,
    only_here: "",
    fires: &[],
    rests: &[],
};

/// A person by role, as a subject.
pub const ROLES: &str = r"(?:(?:engineer|operator|developer|responder|admin|administrator|manager|reviewer|author|sre|dba|person|team|employee|colleague|on-?call|staff)s?|he|she|we|i|you|someone|somebody|nobody|everyone|no one)";

/// All rules.
pub static RULES: [Rule; 18] = [
    Rule {
        id: "counterfactual",
        scope: Scope::NotActions,
        says: "a world that did not happen explains nothing",
        instead: "say what happened and what was known then; turn the idea into an experiment or an action item",
        words: &[
            r"\b(?:should|could|would|might|ought to)(?:n['’]t| not)? have\b",
            r"\b(?:should|could|would)['’]ve\b",
            r"\bif (?:only )?[^.;,|]{1,60}? had\b",
            r"\bhad [^.;|]{1,60}? (?:been|had)\b[^.;|]{1,60}? would\b",
            r"\bneeded to have\b",
            r"\b(?:was|were) supposed to\b",
        ],
        spares: &[r"if this had been production traffic"],
        fires: &[
            "The alert should have fired.",
            "If the cache had a replica, nothing was lost.",
            "It was supposed to fail over.",
            "They could've seen it.",
        ],
        rests: &[
            "The replica should answer within 2 s.",
            "Budget, if this had been production traffic: 3 %.",
            "If it fails, the front has a second replica.",
        ],
        ..RULE
    },
    Rule {
        id: "absence-as-cause",
        level: Level::Warning,
        scope: Scope::Story,
        says: "what was not there did not cause anything",
        instead: "say what was there, and put what is wanted into an action item",
        words: &[r"\b(?:insufficient|inadequate|lack(?:ed|s|ing)?(?: of)?|missing|no proper)\s+\w+"],
        fires: &["There was insufficient monitoring.", "The service lacked a health check."],
        rests: &["No alert covers this signal (searched 14 rules).", "Three packets went missing."],
        ..RULE
    },
    Rule {
        id: "human-error",
        says: "`human error` ends the search where it begins",
        instead: "say what made the action sensible at that moment, and what the system did with it",
        words: &[
            r"\b(?:human|operator|user|pilot|manual|driver)[ -]error\b",
            r"\bfat[ -]?finger(?:ed|ing|s)?\b",
            r"\bpebkac\b",
            r"\b(?:due to|because of|caused by|was) an? (?:simple )?typo\b",
        ],
        fires: &["It came down to human error.", "Somebody fat-fingered the port.", "It was a typo."],
        rests: &["The server answered with an error to the user.", "Errors: 3 of 200."],
        ..RULE
    },
    Rule {
        id: "mechanistic",
        says: "people are not parts that fail",
        instead: "name the system's behaviour, with its time: `Rollback started at 14:09; the runbook has no rollback step`",
        words: &[
            r"\b${person}(?: (?:had|has|have|also|again|then))? (?:failed to|neglected to|forgot to|did(?:n['’]t| not) bother|missed|overlooked|ignored|should know|should have known)\b",
        ],
        fires: &["The operator failed to roll back.", "We overlooked the alert.", "Someone forgot to renew it."],
        rests: &["The health check failed to respond.", "The probe missed 3 of 200 answers."],
        ..RULE
    },
    Rule {
        id: "normative",
        level: Level::Warning,
        says: "a judgement is not an observation",
        instead: "give the figure and its limit, and leave the judgement to the reader",
        words: &[
            r"\b(?:careless(?:ly|ness)?|negligen(?:t|ce|tly)|slopp(?:y|ily)|reckless(?:ly)?|incompeten(?:t|ce|tly)|laz(?:y|ily)|wrong(?:ly)?|incorrectly|improperly|mismanaged|obvious(?:ly)?|clearly|simply|just|of course|inexcusable|poor judge?ment)\b",
        ],
        spares: &[
            r"\bjust (?:before|after|over|under|above|below|as|in time)\b",
            r"\bwent wrong\b",
            r"\bwrong[ -](?:content|answers?|address(?:es)?|body|bodies)\b",
            r"\banswer (?:is )?wrong\b",
        ],
        spares_quotes: true,
        fires: &["The limit was obviously too low.", "The rollback was handled carelessly."],
        rests: &["Just after t+3s it recovered.", "She said \"it was obvious\".", "3 answers had wrong content."],
        ..RULE
    },
    Rule {
        id: "animated",
        says: "loud words hide the figure",
        instead: "give the figure: how many, how long, of how many",
        words: &[
            r"!",
            r"\b(?:ridiculous(?:ly)?|insane(?:ly)?|horribl[ey]|nightmare|disast(?:er|ers|rous|rously)|catastroph(?:e|ic|ically)|unbelievabl[ey]|massive(?:ly)?|meltdown|rampage|bizarre(?:ly)?|terribl[ey]|awful(?:ly)?|crazy|insanity)\b",
        ],
        spares: &[r"\bdisaster recovery\b", r"\w\s*!=\s*\w"],
        fires: &["It broke again!", "A massive spike.", "The catastrophic failure of the cache."],
        rests: &["See ![the chart](x.svg).", "The disaster recovery site took over.", "a != b"],
        ..RULE
    },
    Rule {
        id: "single-root-cause",
        level: Level::Warning,
        says: "complex failures have several contributing factors",
        instead: "write `contributing factors`, and list them",
        words: &[r"\bthe root cause\b", r"\broot cause (?:is|was)\b"],
        code: lonely_factor,
        fires: &["The root cause was a timeout.", "We found the root cause."],
        rests: &["Three factors contributed."],
        ..RULE
    },
    Rule {
        id: "person-as-cause",
        says: "a person is never the cause",
        instead: "name the change or the command, and what the system did with it",
        words: &[
            r"(?:^|\s)@[a-z][\w.-]*\s+(?:\(\w+\)\s*)?(?:\w+ly\s+)?(?:caused|broke|triggered|took down|brought down|crashed|deleted|misconfigured|killed)\b",
            r"\b${name}\s+(?:\(\w+\)\s*)?(?:\w+ly\s+)?(?:caused|broke|triggered|took down|brought down|crashed|deleted|misconfigured|killed)\b",
        ],
        fires: &["Ada broke the build.", "@bob took down the cache."],
        rests: &["Ada noticed the alert at 14:03.", "The deploy broke the build."],
        ..RULE
    },
    Rule {
        id: "person-named",
        level: Level::Suggestion,
        scope: Scope::Judgement,
        says: "a name stands where a role would do",
        instead: "write the role (`the on-call responder`)",
        words: &[r"\b${name}\b"],
        off: true,
        fires: &["Ada rolled back."],
        rests: &["The on-call responder rolled back."],
        ..RULE
    },
    Rule {
        id: "why-who",
        level: Level::Suggestion,
        scope: Scope::Prompts,
        says: "`why` and `who` ask for a defence",
        instead: "ask `what` or `how`: `What did you see on the dashboard then?`",
        words: &[r"(?:^\s*|[.?:]\s+)(?:why|who)\b"],
        fires: &["Why did you wait?", "At 14:03 it broke. Who noticed?"],
        rests: &["What did you see then?", "How was it found?"],
        ..RULE
    },
    Rule {
        id: "outage-misuse",
        level: Level::Warning,
        says: "`outage` and `down` say that nobody was served",
        instead: "give the share of requests that failed, and for how long",
        words: &[r"\boutages?\b", r"\bdown\b"],
        unless: |context| context.outage == Some(true),
        spares: &[r"\b\w+[ -]down\b", r"\bdown[ -](?:to|from|by|the|stream|time)\b", r"\bup and down\b"],
        fires: &["During the outage, 3 % of requests failed.", "It: down for 4 s."],
        rests: &["It was scaled down.", "p99 went down to 20 ms.", "The node was shut down."],
        ..RULE
    },
    Rule {
        id: "vague-action",
        scope: Scope::Actions,
        says: "nobody can tell when this is done",
        instead: "begin with a verb that has an end: add, remove, set, alert on, limit, document",
        words: &[
            r"^\W*(?:A-[0-9a-z]+\W+)?(?:improve|make (?:\w+ ){1,6}better|investigate|look into|ensure|consider|be careful|monitor|review|think about|try)\b",
        ],
        fires: &["Improve monitoring by 10 %.", "Look into the 3 timeouts."],
        rests: &["Add an alert on the error rate above 1 %."],
        ..RULE
    },
    Rule {
        id: "human-fix",
        scope: Scope::Actions,
        says: "people cannot be fixed; what they work with can",
        instead: "change the tool, the default or the limit that made it possible",
        words: &[
            r"\b(?:train|retrain|remind|tell|educate|coach)\b[^.;|]{0,60}\b(?:people|teams?|engineers?|operators?|developers?|everyone|everybody|staff|on-?call|users?|responders?)\b",
            r"\bbe more careful\b",
        ],
        fires: &["Remind the team to check port 8080.", "Be more careful with version 2."],
        rests: &["Let the tool refuse port 8080."],
        ..RULE
    },
    Rule {
        id: "unbounded-action",
        scope: Scope::Actions,
        says: "no end state: nothing tells when this is done",
        instead: "add the number, the test or the drill that shows it done",
        code: unbounded,
        only_here: "it looks for what is not there, and only among action items",
        fires: &["Add retries to the client.", "Done when: it is better"],
        rests: &[
            "Done when: the drill passes",
            "Add a timeout of 2 s to the client.",
            "Add retries, until `demo.yaml` passes.",
        ],
        ..RULE
    },
    Rule {
        id: "hedge",
        level: Level::Suggestion,
        scope: Scope::Opinion,
        says: "a guess stands among facts",
        instead: "mark it `hypothesis:` and say how it could be tested, or give the evidence",
        words: &[r"\b(?:probably|presumably|apparently|possibly|perhaps|maybe|might|seems?|seemed|likely)\b"],
        spares: &[r"(?s).*\bhypothes[ei]s\b.*"],
        fires: &["It was probably the pool."],
        rests: &["Hypothesis: it was probably the pool.", "The pool was full."],
        ..RULE
    },
    Rule {
        id: "unsourced-number",
        scope: Scope::Body,
        says: "a figure without evidence, in a review that cites its evidence elsewhere",
        instead: "add the id of its evidence (`[e7]`), or a link or a footnote that says where it was read",
        code: unsourced,
        only_here: "it looks for what is not there, and only where the rest of the review cites evidence",
        fires: &["It took 34 s.\n\nIt lasted 12 s (e7).", "It took 34 s.\n\nIt lasted 12 s [e7]."],
        rests: &[
            "It lasted 12 s (e7 e12).",
            "It took 34 s.",
            "It took 34 s on an e2 machine.",
            "It took 34 s[^1].\n\nIt lasted 12 s [e7].\n\n[^1]: The panel showed 34 s.",
            "It took [34 s](https://example.com/panel).\n\nIt lasted 12 s [e7].",
            "| | during [e7] |\n|---|---|\n| p99 | 12 s |\n\nSee [e7].\n\n[e7]: #e7",
        ],
        ..RULE
    },
    Rule {
        id: "suppression-without-reason",
        says: "a rule is switched off without a reason",
        instead: "write `<!-- firedrill-lint: allow RULE because REASON -->`",
        only_here: "it looks at suppressions, which other linters do not know",
        fires: &["Ouch <!-- firedrill-lint: allow animated -->"],
        rests: &["Ouch! <!-- firedrill-lint: allow animated because it is the alert's name -->"],
        ..RULE
    },
    Rule {
        id: "suppression-of-nothing",
        level: Level::Warning,
        says: "what is switched off here is no rule",
        instead: "write the rule's name as `firedrill lint --rules` lists it",
        only_here: "it looks at suppressions, which other linters do not know",
        fires: &["Ouch <!-- firedrill-lint: allow animatedd because it is the alert's name -->"],
        rests: &["Ouch! <!-- firedrill-lint: allow animated, hedge because it is the alert's name -->"],
        ..RULE
    },
];

/// A pattern without regard to case, compiled anew with every call; those of this file are tried by a test.
pub fn pattern(text: &str) -> Regex {
    Regex::new(&format!("(?i){text}")).expect("patterns of rules are valid")
}

macro_rules! compiled {
    ($name:ident, $text:expr) => {
        static $name: LazyLock<Regex> = LazyLock::new(|| pattern($text));
    };
}
compiled!(BOUNDED, r"\d|\b(?:until|so that|when|once|passes|verified by|fires)\b|\bdrill\b|\btests?\b");
compiled!(END_STATE, r"^\s*Done when:");
compiled!(NAMED_LINE, r"^\s*(?:State|Type|Priority|Owner|Due|Ticket|Finding|Verify|Reason|History):");
compiled!(
    FIGURE,
    r"\b\d[\d,.]*\s?(?:%|ms|us|µs|s|min|minutes?|seconds?|hours?|h|kB|MB|GB|KiB|MiB|GiB|req/s|/s)(?:\b|\s|$|[.,;)])"
);
// `(e7)`, `(e7 e12)`, `[e7]`: the name of a machine's type is none.
compiled!(CITED, r"[(\[]e\d+(?:[ ,]+e\d+)*[)\]]");
compiled!(LINKED, r"\be\d+\b");

/// Where one factor is all.
fn lonely_factor(block: &Block, context: &Context<'_>) -> Vec<Range<usize>> {
    let factor = |block: &&Block| block.kind == Kind::Item && block.section == Section::Factors;
    let says = |of: &Option<String>, word| of.as_deref().is_some_and(|text| text.starts_with(word));
    // A draft lists what rules found; people have yet to add theirs.
    let drafted = |block: &Block| block.text.to_lowercase().starts_with("status: draft");
    let early = says(&context.document.verdict, "HELD")
        || says(&context.document.status, "draft")
        || context.document.blocks.iter().any(drafted);
    let lonely = factor(&block) && !early && context.document.blocks.iter().filter(factor).count() == 1;
    if lonely { whole(block) } else { vec![] }
}

/// Whether something in it tells when it is done: a number, a test, a drill.
pub fn has_end_state(text: &str) -> bool {
    BOUNDED.is_match(text)
}

fn unbounded(block: &Block, _: &Context<'_>) -> Vec<Range<usize>> {
    // The end state of an item stands in a line of its own below its heading.
    let says = END_STATE.find(&block.text).map_or(block.text.as_str(), |label| &block.text[label.end()..]);
    let bounded = block.kind == Kind::Heading || block.link || says.contains(CODE) || has_end_state(says);
    if bounded { vec![] } else { whole(block) }
}

/// Whether a text cites evidence at all.
pub fn cites_evidence(document: &Document) -> bool {
    document.blocks.iter().any(cites)
}

fn cites(block: &Block) -> bool {
    CITED.is_match(&block.text) || block.link && LINKED.is_match(&block.text)
}

/// Only a text that cites evidence at all can be asked to do so everywhere.
fn unsourced(block: &Block, context: &Context<'_>) -> Vec<Range<usize>> {
    if block.link || cites(block) || !context.cites {
        return vec![];
    }
    FIGURE.find(&block.text).map(|found| found.range()).into_iter().collect()
}

fn whole(block: &Block) -> Vec<Range<usize>> {
    std::iter::once(0..block.text.trim_end().len()).collect()
}
