//! The rules as a style for the prose linter Vale: a file a rule, for editors that already run it.

use super::rules::{Find, ROLES, RULES, Rule};

/// The name of the style, and of its folder.
pub const STYLE: &str = "Firedrill";

/// Files of the style: names and texts. Rules that need a whole document, a list of people or measured figures cannot
/// be said in Vale and are left out.
pub fn files() -> Vec<(String, String)> {
    RULES.iter().filter_map(|rule| Some((format!("{}.yml", rule.id), file(rule)?))).collect()
}

fn file(rule: &Rule) -> Option<String> {
    let Find::Words(words) = rule.find else { return None };
    if words.is_empty() {
        return None;
    }
    let mut out = String::from("extends: existence\n");
    out.push_str(&format!("message: {}\n", quoted(&format!("'%s': {}; {}", rule.says, rule.instead))));
    out.push_str(&format!("level: {}\nignorecase: true\nnonword: true\nscope: text\n", rule.level.name()));
    out.push_str("tokens:\n");
    for word in words {
        out.push_str(&format!("  - {}\n", quoted(&word.replace("${person}", ROLES))));
    }
    if !rule.spares.is_empty() {
        out.push_str("exceptions:\n");
        rule.spares.iter().for_each(|spare| out.push_str(&format!("  - {}\n", quoted(spare))));
    }
    Some(out)
}

/// A YAML string in single quotes: nothing in it is special but the quote itself.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_style_has_a_file_for_each_rule_of_words() {
        let files = files();
        assert!(files.len() >= 9, "{}", files.len());
        let (_, human) = files.iter().find(|(name, _)| name == "human-error.yml").unwrap();
        assert!(human.starts_with("extends: existence\nmessage: '''%s'': `human error` ends"), "{human}");
        assert!(human.contains("  - '\\bpebkac\\b'\n"), "{human}");
    }
}
