//! The page in a real browser: complete, sound, and fitting a telephone. Needs `chromium` (Debian's package).

use crate::sample;
use firedrill::{analysis::Findings, review::texts};
use regex::Regex;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

fn html(findings: &Findings) -> String {
    texts(findings).into_iter().find(|(name, _)| *name == "review.html").unwrap().1
}

/// Runs the browser without a screen on a page and returns what it printed.
fn browse(page: &Path, arguments: &[String]) -> String {
    let search = std::env::var("PATH").unwrap_or_default();
    let installed = |name: &&&str| std::env::split_paths(&search).any(|folder| folder.join(name).is_file());
    let chromium = NAMES.iter().find(installed).expect("no chromium in PATH: apt-get install -y chromium");
    let profile = tempfile::tempdir().unwrap();
    let done = Command::new(chromium)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage"])
        .args(["--disable-background-networking", "--no-first-run", "--virtual-time-budget=5000"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(arguments)
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    assert!(done.status.success(), "{chromium}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// Asks the laid-out page, at this width, for the value of some JavaScript. The page itself forbids scripts, so the
/// question is put into a copy without that rule; a window is never narrower than 500 pixels, so it goes into a frame.
pub fn ask(html: &str, width: u32, question: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    let rule = Regex::new(r#"<meta http-equiv="Content-Security-Policy"[^>]*>"#).unwrap();
    let script = format!("<script>parent.document.documentElement.dataset.answer = String({question})</script></body>");
    let inner = rule.replace(html, "").replace("</body>", &script).replace('&', "&amp;").replace('"', "&quot;");
    let style = format!("width: {width}px; height: 900px; border: 0");
    fs::write(&page, format!("<!doctype html><html><body><iframe style=\"{style}\" srcdoc=\"{inner}\"></iframe>"))
        .unwrap();
    let dom = browse(&page, &["--dump-dom".into(), "--window-size=1400,900".into()]);
    let answer = Regex::new(r#"<html[^>]* data-answer="([^"]*)""#).unwrap();
    answer.captures(&dom).expect("the script ran")[1].to_owned()
}

#[test]
fn nothing_is_wider_than_a_telephone() {
    let told = ["held", "not-started", "cut-short", "hostile"];
    for (name, findings) in sample::all().into_iter().filter(|(name, _)| told.contains(name)) {
        let question =
            "[innerWidth, document.documentElement.scrollWidth, performance.getEntriesByType('resource').length]";
        assert_eq!(ask(&html(&findings), 360, question), "360,360,0", "{name}: width, scroll width, requests");
    }
}

#[test]
fn the_wide_drawing_is_for_desks_and_the_narrow_one_for_telephones() {
    let shown = "[...document.querySelectorAll('svg.chart')].filter(s => s.getBoundingClientRect().width > 0)\
                 .every(s => s.classList.contains(innerWidth < 600 ? 'n' : 'w'))";
    let page = html(&sample::held());
    assert_eq!((ask(&page, 360, shown), ask(&page, 1200, shown)), ("true".into(), "true".into()));
}

#[test]
fn pictures_of_it_are_not_empty() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    fs::write(&page, html(&sample::violated())).unwrap();
    let shoot = |name: &str, scheme: &str| {
        let file = folder.path().join(name);
        let scheme = format!("--blink-settings=preferredColorScheme={scheme}");
        browse(&page, &[format!("--screenshot={}", file.display()), "--window-size=1200,2000".into(), scheme]);
        fs::read(file).unwrap()
    };
    let (light, dark) = (shoot("light.png", "1"), shoot("dark.png", "0"));
    assert!(light.len() > 50_000 && dark.len() > 50_000, "{} and {} bytes", light.len(), dark.len());
    assert!(light != dark, "dark is another picture");
    let file = folder.path().join("paper.pdf");
    browse(&page, &[format!("--print-to-pdf={}", file.display()), "--no-pdf-header-footer".into()]);
    let paper = fs::read(file).unwrap();
    assert!(paper.starts_with(b"%PDF") && paper.len() > 30_000, "{} bytes", paper.len());
}

#[test]
fn links_lead_somewhere_and_nothing_leads_out() {
    let tag = Regex::new(r#"<(?:"[^"]*"|[^">])*>"#).unwrap();
    let urls = Regex::new(r"url\(([^)]*)\)").unwrap();
    for (name, findings) in sample::all() {
        let html = html(&findings);
        let tags: Vec<&str> = tag.find_iter(&html).map(|m| m.as_str()).collect();
        let all = |attribute: &str| -> Vec<String> {
            let pattern = Regex::new(&format!(r#"\s{attribute}="([^"]*)""#)).unwrap();
            tags.iter().flat_map(|t| pattern.captures_iter(t)).map(|c| c[1].to_owned()).collect()
        };
        let ids = all("id");
        let unique: BTreeSet<&String> = ids.iter().collect();
        assert_eq!(unique.len(), ids.len(), "{name}: an id stands twice");
        for link in all("href") {
            let id = link.strip_prefix('#').unwrap_or_else(|| panic!("{name}: {link} leads out of the page"));
            assert!(unique.contains(&id.to_owned()), "{name}: #{id} leads nowhere");
        }
        for reference in all("aria-labelledby").iter().flat_map(|r| r.split(' ')) {
            assert!(unique.contains(&reference.to_owned()), "{name}: {reference}");
        }
        assert!(all("src").is_empty() && !html.contains("@import"), "{name}: something is loaded");
        assert!(urls.captures_iter(&html).all(|c| c[1].starts_with('#')), "{name}: something is loaded");
    }
}

#[test]
fn headings_are_in_order() {
    let heading = Regex::new(r"<h([1-6])").unwrap();
    for (name, findings) in sample::all() {
        let html = html(&findings);
        let levels: Vec<u32> = heading.captures_iter(&html).map(|c| c[1].parse().unwrap()).collect();
        assert_eq!(levels.iter().filter(|l| **l == 1).count(), 1, "{name}");
        assert!(levels.windows(2).all(|w| w[1] <= w[0] + 1), "{name}: a level is left out: {levels:?}");
    }
}

#[test]
fn text_stands_out_from_its_ground() {
    let css = include_str!("../../src/review/templates/review.css");
    let variable = Regex::new(r"--([a-z0-9-]+): (#[0-9a-f]{6});").unwrap();
    let read = |part: &str| -> BTreeMap<String, [f64; 3]> {
        variable.captures_iter(part).map(|c| (c[1].to_owned(), rgb(&c[2]))).collect()
    };
    let (light, rest) = css.split_once("@media").unwrap();
    let dark = rest.split_once("\n}\n").unwrap().0;
    for (scheme, colours) in [("light", read(light)), ("dark", read(dark))] {
        let mut pairs =
            vec![("ink", "paper"), ("soft", "paper"), ("soft", "raised"), ("ink", "raised"), ("link", "paper")];
        pairs.extend([("good", "good-wash"), ("warn", "warn-wash"), ("bad", "bad-wash"), ("quiet", "quiet-wash")]);
        pairs.extend(["good-wash", "warn-wash", "bad-wash", "quiet-wash"].map(|wash| ("soft", wash)));
        pairs.extend([
            ("good", "paper"),
            ("warn", "paper"),
            ("bad", "paper"),
            ("c-limit", "paper"),
            ("c-p50", "paper"),
        ]);
        for (text, ground) in pairs {
            let contrast = contrast(colours[text], colours[ground]);
            assert!(contrast >= 4.5, "{scheme}: {text} on {ground}: {contrast:.2}");
        }
    }
}

fn rgb(hex: &str) -> [f64; 3] {
    [1, 3, 5].map(|i| f64::from(u8::from_str_radix(&hex[i..i + 2], 16).unwrap()) / 255.0)
}

/// As WCAG 2 defines it.
fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
    let linear = |v: f64| if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) };
    let luminance = |c: [f64; 3]| 0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2]);
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}
