//! The figures and verdicts of a line, in their order. Words are people's to change; these are measured.

/// Words that are results as much as any number. In capitals they are those of the banner.
const RESULTS: [&str; 18] = [
    "HELD",
    "LOW",
    "VIOLATED",
    "RECOVERED",
    "HALTED",
    "STOPPED",
    "UNDECIDED",
    "STARTED",
    "UNPROVEN",
    "held",
    "violated",
    "halted",
    "undecided",
    "met",
    "broken",
    "proven",
    "unproven",
    // Recovered by itself.
    "itself",
];

/// And those of a table's cells: what became of a run, and of an alert.
const OUTCOMES: [&str; 6] = ["complete", "fired", "late", "missing", "forbidden", "unrelated"];

/// Words that are results only where they are denied: `not measured`, `no impact observed`, `no SLO given`.
const DENIED: [&str; 7] = ["measured", "recovered", "mitigated", "detected", "impact", "SLO", "ledger"];

/// What may be all that stands in a cell.
const ANSWERS: [&str; 2] = ["yes", "no"];

const NEGATIONS: [&str; 4] = ["not", "no", "never", "nor"];

const OPERATORS: [&str; 5] = ["<=", ">=", "<", ">", "="];

/// Numbers with what is attached to them and how they are compared, and results, with what denies them: `6,477`,
/// `22.2ms`, `<=`, `met`, `not met`. Evidence ids are none.
pub fn facts(line: &str) -> Vec<String> {
    match line.trim_start().strip_prefix('|') {
        Some(row) => row.split('|').flat_map(|cell| of(cell, true)).collect(),
        None => of(line, false),
    }
}

fn of(line: &str, row: bool) -> Vec<String> {
    let whole = line.trim_matches(|c: char| c.is_whitespace() || "*_".contains(c));
    if row && ANSWERS.contains(&whole) {
        return vec![whole.to_owned()];
    }
    let words = line.split(|c: char| c.is_whitespace() || "|()*`[];\"".contains(c));
    let words = words.map(|word| word.trim_matches(|c: char| ",.:!?\\_".contains(c))).filter(|word| !word.is_empty());
    let (mut facts, mut denied) = (Vec::new(), false);
    for word in words {
        let result = RESULTS.contains(&word) || row && OUTCOMES.contains(&word);
        if (result || DENIED.contains(&word)) && denied {
            facts.push(format!("not {word}"));
        } else if result || OPERATORS.contains(&word) || (word.contains(|c: char| c.is_ascii_digit()) && !cited(word)) {
            facts.push(word.to_owned());
        }
        denied = NEGATIONS.contains(&word.to_lowercase().as_str());
    }
    facts
}

/// Whether it is an evidence id: `e12`.
pub fn cited(word: &str) -> bool {
    word.strip_prefix('e').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// Where the facts of a generated line and of an edited one part: what was generated, and what is there.
pub fn parting(ours: &[String], now: &[String]) -> String {
    let before = ours.iter().zip(now).take_while(|(a, b)| a == b).count();
    let rest = ours.len().min(now.len()) - before;
    let after = ours.iter().rev().zip(now.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let told = |facts: &[String]| format!("`{}`", facts[before..facts.len() - after].join("`, `"));
    match (ours.len() - after > before, now.len() - after > before) {
        (true, true) => format!("generated as {}, {} here", told(ours), told(now)),
        (true, false) => format!("generated as {}, nothing in its place", told(ours)),
        _ => format!("{} here, where nothing of the kind was generated", told(now)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_and_verdicts_are_facts_and_words_and_citations_are_not() {
        let line = "| during | checkout p99 | \\<= 400ms | 1,200 | +39% | **not met** | [e11] [e2] |";
        assert_eq!(facts(line), ["p99", "<=", "400ms", "1,200", "+39%", "not met"]);
        assert_eq!(facts("Web: 1 of 6,477 (0.015%) failed, as we feared. [e9]"), ["1", "6,477", "0.015%"]);
        assert_eq!(facts("**NOT RECOVERED**"), ["not RECOVERED"]);
        assert_eq!(facts("The alert fired late, and no fire was missing."), [""; 0]);
        assert_eq!(facts("| `CacheDown` | yes | **late** |"), ["yes", "late"]);
        assert_eq!(facts("| data loss | the run | no ledger probe: not measured |"), ["not ledger", "not measured"]);
        assert_eq!(facts("It came back by itself; what we measured is no surprise."), ["itself"]);
    }

    #[test]
    fn where_they_part_is_told() {
        let told = |ours: &str, now: &str| parting(&facts(ours), &facts(now));
        assert_eq!(
            told("22.2ms to 209ms at 5", "209ms to 22.2ms at 5"),
            "generated as `22.2ms`, `209ms`, `209ms`, `22.2ms` here"
        );
        assert_eq!(told("1 of 2", "1"), "generated as `2`, nothing in its place");
        assert_eq!(told("1 of 2", "1 of 1 of 2"), "`1` here, where nothing of the kind was generated");
    }
}
