//! Whether what came back holds what it should.

use super::{Content, Env, template::Template};
use regex::bytes::Regex;

/// Bytes of an answer that are kept to be looked at.
pub const CONTENT_KEPT: usize = 1 << 20;

/// A [`Content`], taken apart once.
#[derive(Debug, Clone)]
pub enum Check {
    /// A pattern that is the same for every request.
    Fixed(Regex),
    /// A text that holds the number of the request.
    Filled(Template),
}

impl Check {
    /// Taken apart for many uses.
    ///
    /// # Errors
    /// What is wrong with the pattern; no secret.
    pub fn compile(content: &Content, run: &str, env: &Env) -> Result<Check, String> {
        let template = |text| Template::compile(text, run, env).map_err(|e| e.to_string());
        match content {
            Content::Matches(pattern) => {
                let regex = Regex::new(pattern).map_err(|_| format!("`{pattern}` is not a regex"))?;
                Ok(Check::Fixed(regex))
            }
            Content::Contains(text) => {
                let template = template(text)?;
                let fixed = template.fixed().and_then(|text| Regex::new(&regex::escape(text)).ok());
                Ok(fixed.map_or(Check::Filled(template), Check::Fixed))
            }
        }
    }

    /// Whether these bytes are a good answer to the request with this number.
    pub fn accepts(&self, seq: u64, bytes: &[u8]) -> bool {
        match self {
            Check::Fixed(regex) => regex.is_match(bytes),
            Check::Filled(template) => {
                let text = template.fill(seq);
                text.is_empty() || bytes.windows(text.len()).any(|window| window == text.as_bytes())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn accepts(content: Content, bytes: &[u8]) -> bool {
        let env: Env = Arc::new(|_| None);
        Check::compile(&content, "r", &env).unwrap().accepts(7, bytes)
    }

    #[test]
    fn texts_and_patterns() {
        assert!(accepts(Content::Contains("a.c".into()), b"xxa.cxx"));
        assert!(!accepts(Content::Contains("a.c".into()), b"xxabcxx"));
        assert!(accepts(Content::Matches("^a.c$".into()), b"abc"));
        assert!(accepts(Content::Contains("order ${seq}!".into()), b"order 7!"));
        assert!(!accepts(Content::Contains("order ${seq}!".into()), b"order 77!"));
    }
}
