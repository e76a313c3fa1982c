//! Figures and verdicts of a generated review that somebody changed or took out. Where a line went is found by section and
//! by likeness: a sentence may be said in other words, wrapped or moved, as long as its figures stay in their order.

use super::{
    facts::{cited, facts, parting},
    front,
};
use crate::review::people::{Section, changes, split};
use std::collections::{BTreeMap, BTreeSet};

/// At most so many differences are told.
const MOST: usize = 40;
/// So much of two lines must be the same for one to be taken for the other wherever they stand.
const ALIKE: f64 = 0.55;

/// Lines of the edited text in which a generated figure or verdict was changed, or behind which one is gone.
pub fn edited(generated: &str, text: &str) -> Vec<(usize, String)> {
    let (ours, theirs) = (split(generated), split(text));
    let front = ours.iter().find(|section| section.key == FRONT);
    let front = front.map(|section| front::edited(section, theirs.iter().find(|other| other.key == FRONT)));
    let mut found: Vec<_> = front.into_iter().flatten().chain(Apart::of(&ours, &theirs).told()).collect();
    found.sort();
    let more = found.len().saturating_sub(MOST);
    if let Some((line, _)) = found.get(MOST).cloned() {
        found.truncate(MOST);
        found.push((line, format!("and {more} more differences from here on")));
    }
    found
}

const FRONT: &str = "front matter";
const TITLE: &str = "title";

/// A generated line that is not in the text as it was.
struct Lost<'a> {
    line: &'a str,
    facts: Vec<String>,
    section: &'a str,
    /// Where it stood; `None`: its section is not there.
    place: Option<Place>,
}

/// A stretch of the text that differs, and its first line.
#[derive(Clone, Copy)]
struct Place {
    stretch: usize,
    line: usize,
}

/// Something in the text that was not generated as it stands: a row, an item of a list, a paragraph.
struct New {
    text: String,
    facts: Vec<String>,
    line: usize,
    stretch: Option<usize>,
}

/// What is in one text and not in the other.
struct Apart<'a> {
    lost: Vec<Lost<'a>>,
    new: Vec<New>,
    /// Where the lines of a section are now that has no place of its own any more.
    places: BTreeMap<&'a str, usize>,
}

impl<'a> Apart<'a> {
    fn of(ours: &'a [Section<'a>], theirs: &'a [Section<'a>]) -> Apart<'a> {
        let mut apart = Apart { lost: vec![], new: vec![], places: BTreeMap::new() };
        let mut stretch = 0;
        for section in ours.iter().filter(|section| section.key != FRONT) {
            let Some(same) = theirs.iter().find(|other| other.key == section.key) else {
                // Nobody takes the verdict out and keeps the review.
                let place = (section.key == TITLE).then_some(Place { stretch: usize::MAX, line: 1 });
                apart.lose(&section.key, section.text.lines(), place);
                continue;
            };
            for change in changes(section.text, same.text) {
                let line = same.line + change.line - 1;
                apart.lose(&section.key, change.out.into_iter(), Some(Place { stretch, line }));
                apart.new.extend(units(change.new.into_iter(), line, Some(stretch)));
                stretch += 1;
            }
        }
        let known: BTreeSet<&str> = ours.iter().map(|section| section.key.as_str()).collect();
        for section in theirs.iter().filter(|section| !known.contains(section.key.as_str())) {
            apart.new.extend(units(section.text.lines(), section.line, None));
        }
        apart
    }

    fn lose(&mut self, section: &'a str, lines: impl Iterator<Item = &'a str>, place: Option<Place>) {
        let counted = lines.filter(|line| counts(section, line));
        self.lost.extend(counted.map(|line| Lost { line, facts: told_by(line), section, place }));
    }

    fn told(mut self) -> Vec<(usize, String)> {
        self.reworded();
        self.moved();
        // Whoever rewrites a whole review is told of its beginning.
        let rest = self.lost.split_off(self.lost.len().min(MOST + 1));
        let mut found = self.changed();
        for lost in self.lost.iter().chain(&rest) {
            let line = lost.place.map(|place| place.line).or_else(|| self.places.get(lost.section).copied());
            found.extend(line.map(|line| (line, format!("a line is gone; generated as `{}`", short(lost.line)))));
        }
        found
    }

    /// Leaves out what stands where it stood, with the same facts.
    fn reworded(&mut self) {
        let mut there: BTreeMap<(usize, &[String]), Vec<usize>> = BTreeMap::new();
        for (n, new) in self.new.iter().enumerate().rev() {
            if let Some(stretch) = new.stretch {
                there.entry((stretch, &new.facts)).or_default().push(n);
            }
        }
        let mut pairs = Vec::new();
        for (l, lost) in self.lost.iter().enumerate() {
            let stretch = lost.place.map_or(usize::MAX, |place| place.stretch);
            pairs.extend(there.get_mut(&(stretch, &lost.facts)).and_then(Vec::pop).map(|n| (l, n)));
        }
        self.without(pairs);
    }

    /// Leaves out what stands elsewhere, much as it was, with the same facts.
    fn moved(&mut self) {
        let mut by_facts: BTreeMap<&[String], Vec<usize>> = BTreeMap::new();
        for (n, new) in self.new.iter().enumerate() {
            by_facts.entry(&new.facts).or_default().push(n);
        }
        let with = |(l, lost): (usize, &Lost<'_>)| {
            let same = by_facts.get(lost.facts.as_slice()).into_iter().flatten().take(MOST);
            same.map(|n| (self.like(l, *n), l, *n)).collect::<Vec<_>>()
        };
        let pairs = self.lost.iter().enumerate().flat_map(with).filter(|(like, ..)| *like >= ALIKE);
        self.without(likest(pairs.collect()));
    }

    /// Leaves out what stands there with other facts, and tells of it.
    fn changed(&mut self) -> Vec<(usize, String)> {
        let mut pairs = Vec::new();
        for (l, lost) in self.lost.iter().enumerate() {
            for (n, new) in self.new.iter().enumerate() {
                let like = self.like(l, n);
                if like >= ALIKE || lost.place.is_some_and(|place| Some(place.stretch) == new.stretch) {
                    pairs.push((like, l, n));
                }
            }
        }
        let pairs = likest(pairs);
        let tell = |(l, n): &(usize, usize)| (self.new[*n].line, what_differs(&self.lost[*l], &self.new[*n]));
        let found = pairs.iter().map(tell).collect();
        self.without(pairs);
        found
    }

    fn like(&self, lost: usize, new: usize) -> f64 {
        strsim::sorensen_dice(&words(self.lost[lost].line), &words(&self.new[new].text))
    }

    /// Without these pairs of a lost line and a new one.
    fn without(&mut self, pairs: Vec<(usize, usize)>) {
        for (l, n) in &pairs {
            self.places.entry(self.lost[*l].section).or_insert(self.new[*n].line);
        }
        let (lost, new): (BTreeSet<usize>, BTreeSet<usize>) = pairs.into_iter().unzip();
        let mut at = 0..;
        self.lost.retain(|_| at.next().is_some_and(|at| !lost.contains(&at)));
        let mut at = 0..;
        self.new.retain(|_| at.next().is_some_and(|at| !new.contains(&at)));
    }
}

/// Each line once, in the pair in which it is likest.
fn likest(mut pairs: Vec<(f64, usize, usize)>) -> Vec<(usize, usize)> {
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut lost, mut new) = (BTreeSet::new(), BTreeSet::new());
    let free = pairs
        .into_iter()
        .filter(|(_, l, n)| !lost.contains(l) && !new.contains(n) && lost.insert(*l) && new.insert(*n));
    free.map(|(_, l, n)| (l, n)).collect()
}

/// Whether a generated line is to stay as it is, as far as its facts go. Of an action item only its finding is ours; a
/// heading may be worded anew, and the line below the banner follows the front matter.
fn counts(section: &str, line: &str) -> bool {
    if section.starts_with("action items") {
        return finding(line);
    }
    !line.starts_with('#') && !line.contains(" · review due ") && !facts(line).is_empty()
}

fn finding(line: &str) -> bool {
    line.starts_with("- Finding: ")
}

/// What an evidence id stands for: `- <a id="e9"></a>e9: ...`.
fn evidence(line: &str) -> bool {
    line.starts_with("- <a id=\"e")
}

/// Citations of the text that lead nowhere, by their lines.
pub fn dangling(generated: &str, text: &str) -> Vec<(usize, String)> {
    let known: BTreeSet<&str> = citations(generated).collect();
    let lines = text.lines().enumerate();
    let unknown = lines.flat_map(|(at, line)| citations(line).map(move |id| (at + 1, id)));
    let unknown = unknown.filter(|(_, id)| !known.contains(id)).take(MOST);
    unknown.map(|(line, id)| (line, format!("`[{id}]` is no evidence of this run"))).collect()
}

/// `e12` of `[e12]`.
fn citations(text: &str) -> impl Iterator<Item = &str> {
    let inside = text.split('[').skip(1).filter_map(|rest| Some(rest.split_once(']')?.0));
    inside.filter(|id| cited(id))
}

/// What of a line is to stay; of a finding all words, for it is a fact as a whole, and so is what evidence there is.
fn told_by(line: &str) -> Vec<String> {
    if finding(line) || evidence(line) { line.split_whitespace().map(str::to_owned).collect() } else { facts(line) }
}

fn what_differs(lost: &Lost<'_>, new: &New) -> String {
    let (ours, now) = (facts(lost.line), facts(&new.text));
    if ours == now { format!("generated as `{}`", short(lost.line)) } else { parting(&ours, &now) }
}

/// Rows, items and paragraphs; what is wrapped is one.
fn units<'a>(lines: impl Iterator<Item = &'a str>, first: usize, stretch: Option<usize>) -> Vec<New> {
    let mut units: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (at, line) in lines.enumerate() {
        let text = line.trim();
        let begins = text.starts_with(['|', '#', '<', '>'])
            || text.split_once(' ').is_some_and(|(mark, _)| ["-", "*", "+"].contains(&mark));
        match units.last_mut().filter(|_| open && !begins && !text.is_empty()) {
            Some((_, before)) => before.extend([" ", text]),
            None if text.is_empty() => {}
            None => units.push((first + at, text.to_owned())),
        }
        open = !text.is_empty() && !text.starts_with(['|', '#']);
    }
    units.into_iter().map(|(line, text)| New { facts: told_by(&text), text, line, stretch }).collect()
}

/// A line without its numbers.
fn words(line: &str) -> String {
    line.chars().filter(|c| !c.is_ascii_digit()).collect()
}

fn short(line: &str) -> String {
    match line.char_indices().nth(160) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "---\nstatus: draft\ndue: 2026-03-06\nverdict: \"HELD\"\ncode: 0\nhypothesis: \"held\"\n---\n\n# T\n\n**HELD**\n\n*DRAFT* · owner a · review due 2026-03-06\n\nCheckout: 1 of 6,477 (0.015%) requests failed; p99 went from 22.2ms to 209ms. [e1]\n\n## Figures\n\n| Time to recover | **1.33s** | met | e11 |\n| Requests failed | **1** | met | e12 |\n\nTrust: N = 8,077 requests. [e2]\n\n## Lessons\n\n- Came back in 1.33s. [e11]\n- The fault was <= 5s. [e3]\n\n## Action items\n\n### A-1: x\n\n- State: proposed\n- Due: 2026-04-01\n- Finding: no-limit `ab12` (e15): Web runs without a limit.\n- History: 2026-03-01 proposed\n";

    fn edit(from: &str, to: &str) -> Vec<(usize, String)> {
        assert!(OURS.contains(from), "{from}");
        edited(OURS, &OURS.replacen(from, to, 1))
    }

    #[track_caller]
    fn told(from: &str, to: &str, line: usize, says: &str) {
        assert_eq!(edit(from, to), [(line, says.to_owned())]);
    }

    #[test]
    fn a_changed_number_is_found_with_its_line() {
        told("209ms", "109ms", 15, "generated as `209ms`, `109ms` here");
        told("**1.33s**", "**0.33s**", 19, "generated as `1.33s`, `0.33s` here");
        told(" to 209ms", "", 15, "generated as `209ms`, nothing in its place");
        told("22.2ms to 209ms", "209ms to 22.2ms", 15, "generated as `22.2ms`, `209ms`, `209ms`, `22.2ms` here");
        told("<= 5s", ">= 5s", 27, "generated as `<=`, `>=` here");
        told("8,077 requests", "8,077 of 9,000 requests", 22, "`9,000` here, where nothing of the kind was generated");
        let whole = "Checkout: 1 of 6,477 (0.015%) requests failed; p99 went from 22.2ms to 209ms. [e1]";
        let says = "generated as `1`, `6,477`, `0.015%`, `p99`, `22.2ms`, `209ms`, `6,477`, `20ms` here";
        told(whole, "None of our 6,477 friends waited for more than 20ms.", 15, says);
    }

    #[test]
    fn a_changed_verdict_is_found_with_its_line() {
        told("**HELD**", "**VIOLATED**", 11, "generated as `HELD`, `VIOLATED` here");
        told("**HELD**", "**HELD, LOW MARGIN**", 11, "`LOW` here, where nothing of the kind was generated");
        told("| met |", "| broken |", 19, "generated as `met`, `broken` here");
        told("| met |", "| **not met** |", 19, "generated as `met`, `not met` here");
        told("verdict: \"HELD\"", "verdict: \"VIOLATED\"", 4, "generated as `HELD`, `VIOLATED` here");
        told("hypothesis: \"held\"", "hypothesis: 'violated'", 6, "generated as `held`, `violated` here");
    }

    #[test]
    fn a_citation_that_leads_nowhere_is_found() {
        assert_eq!(dangling(OURS, OURS), []);
        let text = OURS.replace("[e3]", "[e99] [x] [e]");
        assert_eq!(dangling(OURS, &text), [(27, "`[e99]` is no evidence of this run".to_owned())]);
    }

    #[test]
    fn what_was_taken_out_of_a_section_that_stands_is_found() {
        let row = "| Requests failed | **1** | met | e12 |";
        told(&format!("{row}\n"), "", 20, &format!("a line is gone; generated as `{row}`"));
        told("- Came back in 1.33s. [e11]\n", "", 26, "a line is gone; generated as `- Came back in 1.33s. [e11]`");
        told("code: 0\n", "", 1, "`code` is gone; generated as `0`");
        assert_eq!(edit("**HELD**\n", "").len(), 1);
        assert_eq!(edit("# T\n\n**HELD**\n", "").len(), 1, "with its heading");
        assert_eq!(edit(&OURS[..OURS.find("# T").unwrap()], "").len(), 1, "the front matter");
        assert_eq!(
            edit("## Figures\n\n| Time to recover | **1.33s** | met | e11 |", "## Our figures\n").len(),
            1,
            "renamed"
        );
    }

    #[test]
    fn of_an_action_item_the_finding_is_ours() {
        let finding = "- Finding: no-limit `ab12` (e15): Web runs without a limit.";
        told("Web runs without a limit.", "99% lost.", 35, "`99%` here, where nothing of the kind was generated");
        told("runs without", "runs with", 35, &format!("generated as `{finding}`"));
        told(&format!("{finding}\n"), "", 35, &format!("a line is gone; generated as `{finding}`"));
        assert_eq!(edit("- State: proposed\n- Due: 2026-04-01", "- State: done by ana\n- Due: 2026-05-01"), []);
        assert_eq!(edit("proposed\n", "proposed\n- Ticket: OPS-7\n"), []);
        assert_eq!(edit(&OURS[OURS.find("### A-1").unwrap()..], ""), [], "all of it");
    }

    #[test]
    fn words_answers_and_what_is_theirs_may_change() {
        for (from, to) in [
            ("requests failed;", "of the requests of customers failed, and"),
            ("requests failed; p99", "requests\nfailed;\np99"),
            ("status: draft", "status: in-review"),
            ("due: 2026-03-06\nv", "due: 2026-05-01\nv"),
            ("due 2026-03-06", "due 2026-05-01"),
            ("2026-04-01", "2026-05-01"),
            ("verdict: \"HELD\"", "verdict: HELD # as we had hoped"),
            ("| e11 |", "| e12 |"),
            ("| Time to recover | **1.33s** | met |", "| Time to recover  |   1.33s   | met |"),
            ("# T\n", "# T of 5\n\nWe counted 17 tickets.\n"),
            ("Trust: N = 8,077 requests. [e2]\n", "Trust: N = 8,077 requests. [e2]\nWe counted 17 tickets.\n"),
            ("## Lessons\n\n- Came back in 1.33s. [e11]\n- The fault was <= 5s. [e3]\n", ""),
            ("## Lessons\n\n- Came", "## What we learned\n\n- Came"),
        ] {
            assert_eq!(edit(from, to), [], "{from}");
        }
        let (row, other) =
            ("| Time to recover | **1.33s** | met | e11 |\n", "| Requests failed | **1** | met | e12 |\n");
        assert_eq!(edit(&format!("{row}{other}"), &format!("{other}{row}")), [], "in another order");
    }

    #[test]
    fn a_text_of_another_making_is_compared_in_no_time() {
        let rows = |word: &str| (0..4_000).map(|n| format!("| {word} {n} | {n}ms | met |\n")).collect::<String>();
        let found = edited(&format!("# T\n\n{}", rows("row")), &format!("# T\n\n{}", rows("Zeile, aber")));
        assert_eq!(found, []);
        let found = edited(&format!("# T\n\n{}", rows("row")), &format!("# T\n\n{}", rows("row 1")));
        assert_eq!(found.len(), MOST + 1);
    }
}
