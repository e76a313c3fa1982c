//! Mutations of the files in `tests/fuzz/`, thrown at what reads text from outside: the journal reader, the readers of
//! Markdown, the linter. `FIREDRILL_FUZZ_SECONDS` says for how long each (two seconds by default). An input that makes one
//! fail is written into its folder, where it is the first to be tried from then on.
#![expect(clippy::print_stdout, reason = "how much was tried, and where what failed lies")]

use firedrill::{
    analysis, journal,
    journal::RunFolder,
    review::{
        action, lint,
        people::{self, merge},
        texts,
    },
};
use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::PathBuf,
    time::{Duration, Instant},
};

/// A generator of its own (xorshift), so that a run can be repeated from its seed alone.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// Pieces that mean something to one of the readers.
const PIECES: [&[u8]; 26] = [
    b"\n",
    b"\r\n",
    b"---\n",
    b"# ",
    b"## Action items\n",
    b"### A-3f9a1c2b: ",
    b"- State: ",
    b"```\n",
    b"|",
    b"<!-- ",
    b"-->",
    b"<script>",
    b"[a](b)",
    b"\xff",
    b"\xe2\x80\xae",
    b"\x1b[",
    b"\0",
    b"{",
    b"}",
    b"\"",
    b"18446744073709551615",
    b"-1",
    b"null",
    b"{\"seq\":",
    b"<<<<<<< ",
    b"Answer:",
];

fn mutated(corpus: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = corpus[chance.below(corpus.len())].clone();
    for _ in 0..=chance.below(8) {
        let at = chance.below(bytes.len() + 1);
        let end = (at + chance.below(64)).min(bytes.len());
        match chance.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << chance.below(8),
            1 => bytes.truncate(at),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            4 => {
                let other = &corpus[chance.below(corpus.len())];
                let from = chance.below(other.len() + 1);
                let to = (from + chance.below(256)).min(other.len());
                bytes.splice(at..end, other[from..to].iter().copied());
            }
            _ => drop(bytes.splice(at..at, PIECES[chance.below(PIECES.len())].iter().copied())),
        }
    }
    bytes.truncate(1 << 16);
    bytes
}

fn fuzz(name: &str, target: impl Fn(&[u8])) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz").join(name);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let corpus: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    assert!(!corpus.is_empty(), "{} is empty", folder.display());
    let tried = |bytes: &[u8]| {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(bytes))) {
            let sum = bytes.iter().fold(5381_u64, |sum, byte| sum.wrapping_mul(33) ^ u64::from(*byte));
            let file = folder.join(format!("failed-{sum:016x}"));
            fs::write(&file, bytes).unwrap();
            println!("this input fails: {}", file.display());
            resume_unwind(panic);
        }
    };
    corpus.iter().for_each(|bytes| tried(bytes));
    let seconds = std::env::var("FIREDRILL_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    let seed =
        std::env::var("FIREDRILL_FUZZ_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(88_172_645_463_325_252);
    let (mut chance, started, mut inputs) = (Chance(seed), Instant::now(), 0u64);
    while started.elapsed() < Duration::from_secs(seconds) {
        tried(&mutated(&corpus, &mut chance));
        inputs += 1;
    }
    println!("{name}: {inputs} inputs in {seconds} s, seed {seed}");
}

#[test]
fn the_journal_reader_takes_anything() {
    let dir = tempfile::tempdir().unwrap();
    let folder = RunFolder(dir.path().to_owned());
    fuzz("journal", |bytes| {
        let Ok(journal) = journal::read::parse(bytes, "journal.jsonl".into()) else { return };
        assert!(journal.events.windows(2).all(|pair| pair[0].seq < pair[1].seq), "lines are in order");
        fs::write(folder.journal(), bytes).unwrap();
        let findings = analysis::analyse(&folder).expect("what can be read can be analysed");
        let [_, _, (_, markdown), (_, html)] = texts(&findings);
        let acts = |c: char| c.is_control() && c != '\n';
        assert!(!markdown.contains(acts) && !html.contains(acts), "a character that acts on a terminal");
        assert!(!html.contains("<script"), "a tag from outside");
    });
}

#[test]
fn the_readers_of_markdown_take_anything() {
    fuzz("markdown", |bytes| {
        let text = people::tidy(&String::from_utf8_lossy(bytes));
        let sections = people::split(&text);
        assert_eq!(sections.iter().map(|section| section.text).collect::<String>(), text);
        let (items, _) = action::read(&text);
        for item in &items {
            assert!(!item.id.is_empty());
        }
        let half = people::tidy(&text.chars().take(text.chars().count() / 2).collect::<String>());
        assert_eq!(merge::merge(&half, &half, &text), text, "one side alone");
        let merged = merge::merge(&half, &text, &half);
        assert_eq!(merge::merge(&half, &merged, &half), merged, "again, and nothing changes");
        for part in people::written(&half, &text) {
            harmless(&part.html);
        }
        harmless(&people::html(&text));
    });
}

/// No tag but those that Markdown makes, no attribute that acts, no link that does.
fn harmless(html: &str) {
    const TAGS: [&str; 29] = [
        "p",
        "h4",
        "h5",
        "h6",
        "ul",
        "ol",
        "li",
        "code",
        "pre",
        "em",
        "strong",
        "del",
        "a",
        "blockquote",
        "hr",
        "br",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "input",
        "sup",
        "div",
        "dl",
        "dt",
        "dd",
        "sub",
    ];
    for tag in html.split('<').skip(1) {
        let inside = tag.split('>').next().unwrap_or("");
        let name = inside.trim_start_matches('/').split([' ', '/', '\n']).next().unwrap_or("");
        assert!(TAGS.contains(&name), "<{inside}> in {html}");
        let bare: String = inside.split('"').step_by(2).collect();
        assert!(!bare.contains(" on"), "<{inside}>");
        if let Some(to) = inside.split("href=\"").nth(1) {
            let to = to.to_ascii_lowercase();
            assert!(!to.starts_with("javascript:") && !to.starts_with("data:") && !to.starts_with("//"), "{to}");
        }
    }
}

#[test]
fn the_linter_takes_anything() {
    fuzz("lint", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        for found in lint::lint(&text, &lint::Options::default()) {
            assert!(text.get(found.span.clone()).is_some(), "{:?} is no part of the text", found.span);
            assert!(found.line <= text.lines().count().max(1), "line {}", found.line);
        }
    });
}
