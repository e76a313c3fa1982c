//! The rules as a style for the prose linter Vale, for editors that already run it: a file for each rule that patterns can
//! tell, and a page that says which cannot, and why.
//!
//! Vale knows blocks (headings, lists, quotes) and no sections, so a rule that we keep to a section looks farther there.
//! It tries an exception on the words that were found, not on what stands around them: so what is spared is looked for
//! first, as a whole, and then excepted.

use super::{
    Options,
    rules::{RULES, Rule, Scope},
    words,
};

/// The name of the style, and of its folder.
pub const STYLE: &str = "Firedrill";

/// Files of the style: names and texts; the people of the options stand in them.
pub fn files(options: &Options) -> Vec<(String, String)> {
    let rules = RULES.iter().filter_map(|rule| Some((format!("{}.yml", rule.id), file(rule, options)?)));
    rules.chain([("README.md".to_owned(), readme(options))]).collect()
}

/// Why a rule has no file.
fn missing(rule: &Rule, options: &Options) -> Option<&'static str> {
    if !rule.only_here.is_empty() {
        Some(rule.only_here)
    } else if rule.off && !options.on.iter().any(|id| id == rule.id) {
        Some("it is off unless asked for: `--rule` beside `--vale`")
    } else {
        words(rule, &options.people).is_empty().then_some("it needs names: `--person` beside `--vale`")
    }
}

/// Blocks in which Vale looks.
fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::All | Scope::NotActions | Scope::Story | Scope::Judgement => "text & ~blockquote",
        Scope::Opinion | Scope::Prompts | Scope::Body => "text & ~blockquote & ~heading",
        Scope::Actions => "list",
    }
}

fn file(rule: &Rule, options: &Options) -> Option<String> {
    if missing(rule, options).is_some() {
        return None;
    }
    let mut out = String::new();
    if rule.scope != Scope::All {
        out.push_str(&format!("# firedrill looks {}; Vale has no sections and looks farther.\n", rule.scope.name()));
    }
    out.push_str("extends: existence\n");
    out.push_str(&format!("message: {}\n", quoted(&format!("'%s': {}; {}", rule.says, rule.instead))));
    out.push_str(&format!("level: {}\n", rule.level.name()));
    out.push_str(&format!("scope: {}\nignorecase: true\nnonword: true\n", quoted(scope(rule.scope))));
    let spared: Vec<(&str, &str)> = rule.spares.iter().map(|spare| (*spare, *spare)).collect();
    let spared = [spared, if rule.spares_quotes { SPEECH.to_vec() } else { vec![] }].concat();
    let words = words(rule, &options.people);
    let tokens = spared.iter().map(|(token, _)| *token).chain(words.iter().map(String::as_str));
    out.push_str(&list("tokens", tokens.map(str::to_owned)));
    if !spared.is_empty() {
        out.push_str(&list("exceptions", spared.iter().map(|(_, exception)| format!("(?i:{exception})"))));
    }
    Some(out)
}

/// Quoted speech with the word before or after it, and the same from its first word to its last: Vale takes no exception
/// that begins or ends with anything else.
const SPEECH: [(&str, &str); 2] = [
    (r#"\w+[\s,:;(]+["“][^"”]*["”]"#, r#"\w+[\s,:;(]+["“][^"”]*\w"#),
    (r#"["“][^"”]*["”][\s,:;).]+\w+"#, r#"\w[^"”]*["”][\s,:;).]+\w+"#),
];

/// The page beside the rules.
fn readme(options: &Options) -> String {
    let mut out = format!(
        "# {STYLE}\n\nThe rules of `firedrill lint` for Vale, written by `firedrill lint --vale`; write them again instead of \
         editing them.\nVale knows no sections: a rule that firedrill keeps to a section says so in its file, and may be \
         switched off\nwith `{STYLE}.RULE = NO` where it reaches too far. Vale is silenced by its own comments, \
         `<!-- vale {STYLE}.RULE = NO -->`.\n\nOnly `firedrill lint` looks for:\n\n"
    );
    for rule in &RULES {
        if let Some(why) = missing(rule, options) {
            out.push_str(&format!("- `{}`: {why}.\n", rule.id));
        }
    }
    out
}

fn list(key: &str, items: impl Iterator<Item = String>) -> String {
    let items = items.map(|text| format!("  - {}\n", quoted(&text)));
    format!("{key}:\n{}", items.collect::<String>())
}

/// A YAML string in single quotes: nothing in it is special but the quote itself.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::review::lint::rules::pattern;
    use regex::Regex;
    use serde::Deserialize;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Style {
        extends: String,
        message: String,
        level: String,
        scope: String,
        ignorecase: bool,
        nonword: bool,
        tokens: Vec<String>,
        #[serde(default)]
        exceptions: Vec<String>,
    }

    impl Style {
        /// As Vale's existence check reads it: a match is excepted by what it says itself.
        fn finds(&self, text: &str) -> bool {
            let tokens = pattern(&format!("(?m)(?:{})", self.tokens.join("|")));
            let excepted = Regex::new(&format!(r"(?m)\b(?:{})\b", self.exceptions.join("|"))).unwrap();
            let spared = |found: &str| !self.exceptions.is_empty() && excepted.is_match(found.trim());
            tokens.find_iter(text).any(|found| !spared(found.as_str()))
        }
    }

    fn options() -> Options {
        Options { people: vec!["Ada".into()], on: vec!["person-named".into()], outage: None }
    }

    /// What Vale shows a rule of a Markdown text: no code, no markup, a block at a time.
    fn blocks(text: &str) -> Vec<String> {
        super::super::prose::read(text).blocks.into_iter().map(|block| block.text).collect()
    }

    #[test]
    fn a_rule_in_the_style_fires_and_rests_as_its_examples_say() {
        let files = files(&options());
        for rule in &RULES {
            let file = files.iter().find(|(name, _)| *name == format!("{}.yml", rule.id));
            assert_eq!(file.is_none(), !rule.only_here.is_empty(), "{}", rule.id);
            let Some((_, text)) = file else { continue };
            let style: Style = serde_yaml::from_str(text).unwrap_or_else(|e| panic!("{}: {e}\n{text}", rule.id));
            assert!(style.extends == "existence" && style.ignorecase && style.nonword && style.message.contains("%s"));
            assert_eq!((style.level.as_str(), style.scope.is_empty()), (rule.level.name(), false));
            let finds = |text: &str| blocks(text).iter().any(|block| style.finds(block));
            assert_eq!(rule.fires.iter().find(|text| !finds(text)), None, "{} does not fire\n{text}", rule.id);
            assert_eq!(rule.rests.iter().find(|text| finds(text)), None, "{} does not rest\n{text}", rule.id);
        }
    }

    #[test]
    fn the_page_beside_the_rules_names_those_that_are_missing() {
        let page = |options: &Options| files(options).into_iter().find(|(name, _)| name == "README.md").unwrap().1;
        let rules = |options: &Options| files(options).len() - 1;
        let bare = Options::default();
        assert_eq!((rules(&bare), rules(&options())), (RULES.len() - 5, RULES.len() - 4));
        assert!(page(&bare).contains("- `person-named`: it is off unless asked for"), "{}", page(&bare));
        assert!(page(&bare).contains("- `unbounded-action`: it looks for what is not there"), "{}", page(&bare));
        assert!(!page(&options()).contains("person-named"), "{}", page(&options()));
    }

    #[test]
    fn names_stand_in_the_style() {
        let named = |id: &str| files(&options()).into_iter().find(|(name, _)| name == id).unwrap().1;
        assert!(named("mechanistic.yml").contains("|Ada)"), "{}", named("mechanistic.yml"));
    }
}
