//! Texts with `${seq}`, `${run}` and `${env:NAME}`: taken apart once, filled in per request.

use super::Env;
use std::borrow::Cow;

/// A text in which only `${seq}`, the number of the request, is still open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The texts around each `${seq}`: always one more than there are of those.
    texts: Vec<String>,
}

/// A variable of the environment that a text needs is not set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("environment variable `{0}` is not set")]
pub struct Unset(pub String);

impl Template {
    /// Fills in the run's id and the environment. Any other `${...}` stays as it is, and `$${` is a plain `${`:
    /// so the scenario writes whatever came out of a variable, which must not name a secret.
    ///
    /// # Errors
    /// If a variable of the environment is not set.
    pub fn compile(text: &str, run: &str, env: &Env) -> Result<Template, Unset> {
        let mut texts = vec![String::new()];
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let last = texts.last_mut().expect("there is always one");
            if let Some(before) = before.strip_suffix('$') {
                last.push_str(before);
                last.push_str("${");
                rest = after;
                continue;
            }
            last.push_str(before);
            let Some((name, behind)) = after.split_once('}') else {
                last.push_str("${");
                rest = after;
                continue;
            };
            match name.strip_prefix("env:") {
                Some(variable) => last.push_str(&env(variable).ok_or_else(|| Unset(variable.into()))?),
                None if name == "run" => last.push_str(run),
                None if name == "seq" => texts.push(String::new()),
                None => last.push_str(&format!("${{{name}}}")),
            }
            rest = behind;
        }
        texts.last_mut().expect("there is always one").push_str(rest);
        Ok(Template { texts })
    }

    /// The text, if it is the same for every request.
    pub fn fixed(&self) -> Option<&str> {
        if let [text] = &self.texts[..] { Some(text) } else { None }
    }

    /// The text for the request with this number.
    pub fn fill(&self, seq: u64) -> Cow<'_, str> {
        match self.fixed() {
            Some(text) => Cow::Borrowed(text),
            None => Cow::Owned(self.texts.join(&seq.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn compile(text: &str) -> Result<Template, Unset> {
        let env: Env = Arc::new(|name| (name == "TOKEN").then(|| "s3cret".into()));
        Template::compile(text, "run-1", &env)
    }

    #[test]
    fn texts_are_filled_in() {
        let filled = |text| compile(text).unwrap().fill(7).into_owned();
        assert_eq!(filled("/cart/${seq}?again=${seq}"), "/cart/7?again=7");
        assert_eq!(filled("${run}:${env:TOKEN}"), "run-1:s3cret");
        assert_eq!(filled("${seq}"), "7");
        assert_eq!(filled("$${env:TOKEN} $${seq} ${seq}"), "${env:TOKEN} ${seq} 7");
        assert_eq!(filled("$ {x} ${other} ${"), "$ {x} ${other} ${");
        assert_eq!(compile("${run}").unwrap().fixed(), Some("run-1"));
        assert_eq!(compile("${seq}").unwrap().fixed(), None);
    }

    #[test]
    fn an_unset_variable_is_named() {
        assert_eq!(compile("${env:NONE}").unwrap_err().to_string(), "environment variable `NONE` is not set");
    }
}
