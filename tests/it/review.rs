//! The review as text: every ending as a snapshot, nothing from outside gets through, the same bytes every time.

use crate::sample;
use firedrill::{
    agent::protocol::Counters,
    analysis::{Bounded, EvidenceId, FigureKind, Findings, Hypothesis, Packets, Reason, Why, Word, analyse},
    journal::RunFolder,
    review::{self, custom, lint, model::Review, texts},
};
use regex::Regex;
use std::{collections::BTreeSet, fs};

fn text(findings: &Findings, name: &str) -> String {
    texts(findings).into_iter().find(|(n, _)| *n == name).unwrap().1
}

fn endings() -> impl Iterator<Item = (&'static str, Findings)> {
    sample::all().into_iter().filter(|(name, _)| *name != "hostile")
}

#[test]
fn every_ending_reads_as_it_was_reviewed() {
    for (name, findings) in sample::all() {
        insta::assert_snapshot!(format!("review_{name}"), text(&findings, "review.md"));
    }
    insta::assert_snapshot!("junit_violated", text(&sample::violated(), "junit.xml"));
    insta::assert_snapshot!("result_held", text(&sample::held(), "result.json"));
}

#[test]
fn packets_that_an_agent_could_not_hold_are_told_in_words() {
    let mut findings = sample::held();
    let counters = Counters { hit: 109_020, meant: 109_020, delayed: 44_400, unheld: 64_620, ..Counters::default() };
    let evidence = vec![EvidenceId(5)];
    findings.faults[0].containers[0].packets = Some(Packets { counters, evidence: evidence.clone() });
    let share = findings.faults[0].containers[0].packets.as_ref().unwrap().leaked_share();
    findings.verdict.word = Word::Undecided;
    findings.verdict.code = 6;
    findings.verdict.hypothesis = Hypothesis::Undecided;
    findings.verdict.reasons = vec![Reason { why: Why::Leaked { fault: 0, share }, evidence }];
    let review = text(&findings, "review.md");
    assert!(review.contains("could not be held: 59"), "{review}");
    assert!(review.contains("44,400 delayed; 64,620 not delayed, because no more could be held"), "{review}");
    assert!(text(&findings, "result.json").contains("\"unheld\": 64620"));
}

#[test]
fn what_a_machine_reads_fits_the_schema_that_is_kept() {
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/src/review/result.schema.json");
    let schema = review::result::schema();
    if std::env::var_os("INSTA_UPDATE").is_some_and(|v| v == "always") {
        fs::write(kept, &schema).unwrap();
    }
    assert!(fs::read_to_string(kept).unwrap() == schema, "{kept} is not what the code says; INSTA_UPDATE=always");
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    for (name, findings) in sample::all() {
        let result: serde_json::Value = serde_json::from_str(&text(&findings, "result.json")).unwrap();
        fits(&result, &schema, &schema, name);
    }
}

/// As much of JSON Schema as ours uses: properties, required, items, references, null or something.
pub fn fits(value: &serde_json::Value, schema: &serde_json::Value, root: &serde_json::Value, at: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        return fits(value, root.pointer(reference.trim_start_matches('#')).unwrap(), root, at);
    }
    if let Some(either) = schema["anyOf"].as_array() {
        if !value.is_null() {
            fits(value, &either[0], root, at);
        }
        return;
    }
    if let Some(variants) = schema["oneOf"].as_array() {
        let has = |variant: &&serde_json::Value| {
            let names = variant["required"].as_array().into_iter().flatten();
            let listed = variant["enum"].as_array().is_none_or(|all| all.contains(value));
            listed && names.filter_map(|name| name.as_str()).all(|name| value.get(name).is_some())
        };
        return fits(value, variants.iter().find(has).unwrap_or_else(|| panic!("{at} is {value}")), root, at);
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        assert!(value.get(name.as_str().unwrap()).is_some(), "{at} lacks {name}");
    }
    for (name, inner) in value.as_object().into_iter().flatten() {
        let known = schema["properties"].get(name).or(schema.get("additionalProperties"));
        fits(inner, known.unwrap_or_else(|| panic!("{at}.{name} is not in the schema")), root, &format!("{at}.{name}"));
    }
    for (i, inner) in value.as_array().into_iter().flatten().enumerate() {
        fits(inner, &schema["items"], root, &format!("{at}[{i}]"));
    }
    let types = match &schema["type"] {
        serde_json::Value::String(one) => vec![one.as_str()],
        serde_json::Value::Array(several) => several.iter().filter_map(|t| t.as_str()).collect(),
        _ => return,
    };
    let is = |name: &&str| match *name {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        _ => value.is_object(),
    };
    assert!(types.iter().any(is), "{at} is {value}, the schema says {types:?}");
}

#[test]
fn the_same_findings_give_the_same_bytes() {
    for (name, findings) in sample::all() {
        assert!(texts(&findings) == texts(&findings.clone()), "{name}");
    }
}

#[test]
fn files_are_written_whole_and_nothing_else_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder(folder.path().to_owned());
    review::write_all(&run, &sample::held()).unwrap();
    let before: Vec<_> = review::FILES.iter().map(|f| fs::read(folder.path().join(f)).unwrap()).collect();
    review::write_all(&run, &sample::held()).unwrap();
    let after: Vec<_> = review::FILES.iter().map(|f| fs::read(folder.path().join(f)).unwrap()).collect();
    assert!(before == after);
    let names: BTreeSet<_> = fs::read_dir(folder.path()).unwrap().map(|f| f.unwrap().file_name()).collect();
    let base = review::people::BASE;
    assert_eq!(names, review::FILES.iter().copied().chain([base]).map(Into::into).collect());
}

#[test]
fn nothing_from_outside_gets_through() {
    for (file, text) in texts(&sample::hostile()) {
        let meddling = |c: char| c.is_control() && c != '\n' || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(file == "result.json" || !text.contains(meddling), "{file} has a control character");
        let shown = if file == "review.md" { without_code(&text) } else { text };
        for tag in ["<script", "<img", "<a href=\"http"] {
            assert!(!shown.contains(tag) || file == "result.json", "{file} has {tag}");
        }
    }
    let html = text(&sample::hostile(), "review.html");
    assert!(html.contains("&lt;script&gt;alert(1)"), "the text itself is shown");
    assert!(!html.contains("1248133"), "a template in a name was run");
    let attribute = Regex::new(r#"\son\w+\s*="#).unwrap();
    let tags = Regex::new(r"<[^>]*>").unwrap();
    assert!(tags.find_iter(&html).all(|tag| !attribute.is_match(&in_no_quotes(tag.as_str()))), "an event handler");
    let junit = text(&sample::hostile(), "junit.xml");
    assert_eq!(junit.matches("<testcase").count(), sample::hostile().criteria.len() + 1);
}

/// A tag without what stands in its quotes.
fn in_no_quotes(tag: &str) -> String {
    tag.split('"').step_by(2).collect()
}

/// Markdown without code spans and indented code, in which everything is literal.
fn without_code(markdown: &str) -> String {
    let span = Regex::new(r"``+ ?[^`].*?[^`] ?``+|`[^`]+`").unwrap();
    let lines = markdown.lines().filter(|l| !l.starts_with("    ") && !l.starts_with(">     "));
    lines.map(|l| format!("{}\n", span.replace_all(l, ""))).collect()
}

#[test]
fn nothing_from_outside_is_markdown() {
    let text = text(&sample::hostile(), "review.md");
    for line in without_code(&text).lines() {
        for construct in ["{{", "{%", "[l](", "![i]"] {
            assert!(!line.contains(construct), "{construct} in {line}");
        }
    }
    let headings: Vec<&str> = text.lines().filter(|l| l.starts_with('#') && l.contains("heading")).collect();
    assert!(headings.iter().all(|l| l.matches("\\#").count() + l.matches(" # h ").count() > 0), "{headings:?}");
    assert!(!text.lines().any(|l| l == "## heading" || l == "- item"));
    // Every row of a table has as many cells as its head.
    let cells = |line: &str| line.replace("\\|", "").matches('|').count();
    let mut head = None;
    for line in text.lines() {
        match (line.starts_with('|'), head) {
            (false, _) => head = None,
            (true, None) => head = Some(cells(line)),
            (true, Some(n)) => assert_eq!(cells(line), n, "{line}"),
        }
    }
}

fn found_in(text: &str) -> Vec<String> {
    let found = lint::lint(text, &lint::Options::default());
    found.iter().map(|f| format!("{}:{} {} `{}`", f.line, f.column, f.rule, f.found)).collect()
}

#[test]
fn the_draft_is_blameless_in_every_layout() {
    for (name, findings) in endings().chain([("crowded", sample::crowded())]) {
        let review = Review::of(&findings);
        let layout = |name| custom::Layout::named(name).unwrap().render(&review).unwrap();
        for text in [text(&findings, "review.md"), layout("google"), layout("short")] {
            assert!(!text.contains("Next:\n\nThe whole"), "{text}");
            assert_eq!(found_in(&text), Vec::<String>::new(), "{name}:\n{text}");
        }
    }
}

/// Seen from the command line of somebody who had the reports elsewhere.
#[test]
fn a_drill_is_run_again_without_the_place_of_its_reports() {
    let typed = |words: &[&str]| {
        let mut findings = sample::held();
        findings.run.command = words.iter().map(|word| (*word).to_owned()).collect();
        Review::of(&findings).appendix.rerun
    };
    assert_eq!(typed(&["/opt/firedrill", "demo", "--reports", "/tmp/x", "--seed", "7"]), "firedrill demo --seed 7");
    assert_eq!(typed(&["firedrill", "run", "--reports=/tmp/x", "a b.yaml"]), "firedrill run 'a b.yaml' --seed 42");
}

#[test]
fn a_broken_margin_says_what_is_broken() {
    let margin = |findings| Review::of(&findings).tiles.pop().unwrap();
    let silent = margin(sample::missed_alert());
    assert_eq!((silent.id, silent.value.as_str(), silent.mark), ("smallest-margin", "broken", "broken"));
    assert!(silent.detail.starts_with("alert ") && silent.detail.ends_with("; of the others +40%"), "{silent:?}");
    assert!(silent.objective.starts_with("promised "), "{silent:?}");
    let broken = margin(sample::violated());
    assert!(broken.value.starts_with('-') && broken.objective.starts_with("promised "), "{broken:?}");
    assert_eq!(margin(sample::held()).objective, "20% or more is comfortable");
}

/// A promise has one margin, in whichever table it stands.
#[test]
fn recovery_has_one_margin() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/reports/sample/run");
    let findings = analyse(&RunFolder(folder.into())).unwrap();
    let figure = findings.figure(FigureKind::RecoveryLag, findings.main_probe, None).unwrap();
    let promised = findings.criteria.iter().find(|c| c.what == Bounded::RecoveredWithin).unwrap();
    assert_eq!((figure.margin, promised.margin), (Some(1.0), Some(1.0)));
}

#[test]
fn short_and_google_layouts_read_as_sentences() {
    let layout = |name, findings| custom::Layout::named(name).unwrap().render(&Review::of(&findings)).unwrap();
    let folder = RunFolder(concat!(env!("CARGO_MANIFEST_DIR"), "/reports/sample/run").into());
    let short = layout("short", analyse(&folder).unwrap());
    assert!(short.contains("\nOpen:\n\n- At t+0.1s") && !short.contains("Next:"), "{short}");
    assert!(layout("short", sample::violated()).contains("\nNext:\n\n- P1 "));
    let google = layout("google", analyse(&folder).unwrap());
    assert!(google.contains("- Time to recover: 1.33s (10.96s before the fault was removed); promised"), "{google}");
}

/// Who said something during the drill took part in it, and is no cause.
#[test]
fn the_linter_knows_who_took_part() {
    let draft = text(&sample::violated(), "review.md");
    assert!(draft.contains("\nparticipants: [\"ana\"]\n"), "{draft}");
    let told = draft.replacen("\nAnswer:\n", "\nAnswer: ana broke the cache. ana failed to notice.\n", 1);
    let found = found_in(&told);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("person-as-cause `ana broke`") && found[1].contains("mechanistic `ana failed to`"));
}

#[test]
fn the_front_matter_says_each_thing_once() {
    for (name, findings) in sample::all() {
        let text = text(&findings, "review.md");
        let front = text.strip_prefix("---\n").unwrap().split("\n---\n").next().unwrap();
        let keys: Vec<&str> = front.lines().map(|line| line.split(':').next().unwrap()).collect();
        let once: BTreeSet<&str> = keys.iter().copied().collect();
        assert_eq!(once.len(), keys.len(), "{name}: {keys:?}");
    }
}

#[test]
fn a_reviewer_with_ten_minutes_gets_through() {
    for (name, findings) in endings() {
        let review = Review::of(&findings);
        assert!(review.prompts.len() <= 5 && review.minutes <= 8, "{name}: {:?}", review.prompts);
        assert!(review.prompts.iter().all(|p| p.text.ends_with('?') || p.text.contains("? ")), "{name}");
        assert_eq!(review.sentences.len(), 3, "{name}");
        let words = words(&text(&findings, "review.md"));
        assert!(words <= 1200, "{name}: {words} words before the appendix");
    }
}

/// Where much went wrong, all that presses is seen at once, up to a number.
#[test]
fn eight_proposals_and_eight_factors_fit() {
    let review = Review::of(&sample::crowded());
    let items = review.actions.iter().filter(|action| action.visible).count();
    let factors = review.factors.iter().filter(|factor| factor.visible).count();
    assert_eq!((items, factors), (8, 8), "{:#?}", review.actions);
    assert_eq!(review.to_decide.as_deref(), Some("2 questions, 8 actions, 5 min"));
    assert!(review.actions.len() > 8 && review.factors.len() > 8);
    let text = text(&sample::crowded(), "review.md");
    let factors = text.split("## Contributing factors").nth(1).unwrap().split("How could we test").next().unwrap();
    assert!(factors.contains("<summary>1 more</summary>\n\n9. **"), "{factors}");
    insta::assert_snapshot!("review_crowded", text);
    let words = words(&text);
    assert!(words <= 1200, "{words} words before the appendix");
}

/// Moments, times of day, counts, shares and lengths of time.
const NUMBER: &str = r"^(?:t[+-][\d.]+s|\d\d:\d\d:\d\d|[+-]?\d[\d,.]*(?:%|x|/s|[a-zA-Z]{0,2}[\d.smh]*)?)$";

/// The numbers of a stretch of text, with their units.
fn numbers(text: &str) -> BTreeSet<String> {
    let number = Regex::new(NUMBER).unwrap();
    let words = text.split_whitespace().flat_map(|word| word.split(['(', ')', '|', '*']));
    let words = words.map(|word| word.trim_matches([',', ';', ':', '.']).to_owned());
    words.filter(|word| number.is_match(word)).collect()
}

fn cited(text: &str) -> BTreeSet<String> {
    Regex::new(r"\[(e\d+)\]").unwrap().captures_iter(text).map(|found| found[1].to_owned()).collect()
}

/// What the sections below the fold say: numbers with the evidence beside them, or at the head of their column.
fn told_below(markdown: &str) -> Vec<(BTreeSet<String>, BTreeSet<String>)> {
    let below =
        ["\n## Expected and observed", "\n## Baseline"].iter().find_map(|head| markdown.split_once(head)).unwrap().1;
    let below = below.split("\n### Run it again").next().unwrap();
    let mut told = Vec::new();
    let mut head: Vec<&str> = vec![];
    for line in below.lines() {
        if !line.starts_with('|') {
            head.clear();
            told.push((numbers(line), cited(line)));
            continue;
        }
        let cells: Vec<&str> = line.split('|').collect();
        if head.is_empty() {
            head.clone_from(&cells);
        }
        for (at, cell) in cells.iter().enumerate() {
            let column = head.get(at).map(|head| cited(head)).unwrap_or_default();
            told.push((numbers(cell), cited(line).union(&column).cloned().collect()));
        }
    }
    told
}

/// Numbers of the summary that no section shows with evidence that the summary names.
fn unfounded(markdown: &str) -> Vec<String> {
    let told = told_below(markdown);
    let sentences = markdown.lines().filter(|l| ["**What ", "**How "].iter().any(|lead| l.starts_with(lead)));
    let missing = sentences.flat_map(|sentence| {
        let evidence = cited(sentence);
        let shown = |number: &String| {
            told.iter().any(|(numbers, places)| numbers.contains(number) && !places.is_disjoint(&evidence))
        };
        let text = sentence.split(" [e").next().unwrap_or_default();
        numbers(text).into_iter().filter(|number| !shown(number)).collect::<Vec<_>>()
    });
    missing.collect()
}

#[test]
fn every_figure_of_the_summary_stands_in_a_section() {
    let mut both = sample::held();
    both.probes[1].impact = both.probes[0].impact.clone();
    for (name, findings) in endings().chain([("crowded", sample::crowded()), ("two probes", both)]) {
        let text = text(&findings, "review.md");
        assert!(told_below(&text).len() > 3, "{name}");
        assert_eq!(unfounded(&text), Vec::<String>::new(), "{name}");
    }
    let text = text(&sample::held(), "review.md");
    for (figure, other) in
        [("Checkout: 600 of", "Checkout: 601 of"), ("to 352ms", "to 351ms"), ("7ms after", "6.5ms after")]
    {
        let (fold, below) = text.split_once("## Expected and observed").unwrap();
        let edited = format!("{}## Expected and observed{below}", fold.replacen(figure, other, 1));
        assert_eq!(unfounded(&edited).len(), 1, "{other}");
    }
}

/// The words of a review between its title and its appendix, without what is folded away. Figures and ids are none.
fn words(markdown: &str) -> usize {
    let body = markdown.split("\n# ").nth(1).unwrap().split("## Appendix").next().unwrap();
    let folded = Regex::new(r"(?s)<details>.*?</details>").unwrap();
    let id = Regex::new(r"^\W*(?:e\d+|A-[0-9a-f]{8})\W*$").unwrap();
    let is_word = |word: &&str| {
        let first = word.chars().find(|c| c.is_alphanumeric());
        first.is_some_and(char::is_alphabetic) && !id.is_match(word)
    };
    folded.replace_all(body, "").split_whitespace().filter(is_word).count()
}

#[test]
fn what_was_not_measured_is_never_zero() {
    let review = Review::of(&sample::not_recovered());
    let recover = review.tiles.iter().find(|t| t.id == "time-to-recover").unwrap();
    assert_eq!((recover.value.as_str(), recover.mark), ("> 1m32s", "broken"));
    let mut bare = sample::held();
    (bare.figures, bare.criteria, bare.probes) = (vec![], vec![], vec![]);
    bare.main_probe = None;
    for tile in Review::of(&bare).tiles {
        assert_eq!((tile.value.as_str(), tile.measured), ("not measured", false), "{}", tile.id);
    }
}

#[test]
fn a_run_that_was_cut_short_says_how_to_undo() {
    let text = text(&sample::cut_short(), "review.md");
    assert!(text.contains("CUT SHORT"));
    assert!(text.contains("    firedrill recover reports/20260301T100000Z-cache-loss-7f3a\n"), "{text}");
}

#[test]
fn junit_tells_failures_from_errors_and_skips_nothing() {
    let count = |findings: &Findings, what: &str| text(findings, "junit.xml").matches(what).count();
    assert_eq!(count(&sample::held(), "<failure") + count(&sample::held(), "<error"), 0);
    assert_eq!(count(&sample::violated(), "<failure"), 3);
    assert_eq!((count(&sample::undecided(), "<failure"), count(&sample::undecided(), "<error")), (0, 1));
    assert_eq!(count(&sample::not_started(), "<error"), 1);
    assert_eq!(count(&sample::cut_short(), "<error"), 4, "three not reached and the verdict");
    let runs: Vec<_> = endings().map(|(_, f)| (Review::of(&f), f)).collect();
    let series = review::junit::series(runs.iter().map(|(r, f)| (f, r)));
    assert_eq!(series.matches("<testsuite ").count(), 8);
    assert!(series.contains("skipped=\"0\"") && !series.contains("<skipped"));
}

#[test]
fn charts_are_drawn_twice_and_bounded() {
    let review = Review::of(&sample::held());
    assert_eq!(review.pictures.len(), 7);
    for picture in review.pictures {
        for (drawing, most) in [(&picture.wide, 60_000), (&picture.narrow, 40_000)] {
            assert!(drawing.contains("<title") && drawing.contains("<desc"), "{}", picture.id);
            assert!(drawing.len() < most && !drawing.contains("NaN"), "{}: {}", picture.id, drawing.len());
        }
        assert!(picture.caption.ends_with('.'), "{}", picture.caption);
    }
}

/// An hour at a tick a second is drawn with as few points as a minute is.
#[test]
fn an_hour_is_written_at_once() {
    let mut findings = sample::held();
    let main = &mut findings.probes[0];
    let (chart, ticks) = (main.chart.clone(), main.ticks.clone());
    let shift = |from: u64, i: usize| from + (i / chart.len() * chart.len()) as u64 * 1_000_000_000;
    main.chart = (0..3600).map(|i| chart[i % chart.len()]).collect();
    main.ticks = (0..3600).map(|i| ticks[i % ticks.len()]).collect();
    for (i, point) in main.chart.iter_mut().enumerate() {
        (point.from, point.to) = (shift(point.from, i), shift(point.to, i));
    }
    for (i, tick) in main.ticks.iter_mut().enumerate() {
        (tick.from, tick.to) = (shift(tick.from, i), shift(tick.to, i));
    }
    let started = std::time::Instant::now();
    let html = text(&findings, "review.html");
    // Not optimised, on a busy machine; the release binary takes a twentieth of this.
    assert!(started.elapsed().as_millis() < 3000, "{:?}", started.elapsed());
    assert!(html.len() < 500_000, "{} bytes", html.len());
}

#[test]
fn a_folder_that_is_no_run_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.txt");
    fs::write(&file, "").unwrap();
    let nowhere = folder.path().join("nowhere");
    for (path, says) in [
        (folder.path(), "is not the folder of a run: it holds no journal.jsonl"),
        (file.as_path(), "is not a folder"),
        (nowhere.as_path(), "there is no folder"),
    ] {
        let done =
            std::process::Command::new(env!("CARGO_BIN_EXE_firedrill")).arg("review").arg(path).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{said}");
        assert!(said.contains(says) && done.stdout.is_empty(), "{said}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is written there");
}
