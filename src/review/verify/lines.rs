//! On which line of a JSON text a value stands.

use std::collections::BTreeMap;

/// The line, from 1, of every value in a valid JSON text, by its pointer (`/run/id`).
pub fn of(text: &str) -> BTreeMap<String, usize> {
    let mut scan = Scan { bytes: text.as_bytes(), at: 0, line: 1, lines: BTreeMap::new() };
    scan.value(String::new(), 0);
    scan.lines
}

/// The line of a value, or of the innermost one around it that the text has.
pub fn nearest(lines: &BTreeMap<String, usize>, pointer: &str) -> Option<usize> {
    let mut pointer = pointer;
    loop {
        if let Some(line) = lines.get(pointer) {
            return Some(*line);
        }
        pointer = &pointer[..pointer.rfind('/')?];
    }
}

/// Deeper than our own file ever is.
const DEEPEST: u32 = 32;

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
    lines: BTreeMap<String, usize>,
}

impl Scan<'_> {
    fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.bytes.get(self.at).filter(|byte| byte.is_ascii_whitespace()) {
            self.line += usize::from(*byte == b'\n');
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }

    fn value(&mut self, pointer: String, depth: u32) {
        let first = self.peek();
        self.lines.insert(pointer.clone(), self.line);
        match first {
            Some(open @ (b'{' | b'[')) if depth < DEEPEST => self.inside(open == b'{', &pointer, depth),
            Some(b'"') => drop(self.string()),
            _ => self.word(),
        }
    }

    fn inside(&mut self, object: bool, pointer: &str, depth: u32) {
        self.at += 1;
        let mut index = 0;
        while let Some(byte) = self.peek() {
            match byte {
                b'}' | b']' => {
                    self.at += 1;
                    return;
                }
                b',' | b':' => self.at += 1,
                b'"' if object => {
                    let key = self.string();
                    if self.peek() == Some(b':') {
                        self.at += 1;
                    }
                    self.value(format!("{pointer}/{key}"), depth + 1);
                }
                _ if object => return,
                _ => {
                    self.value(format!("{pointer}/{index}"), depth + 1);
                    index += 1;
                }
            }
        }
    }

    fn string(&mut self) -> String {
        let start = self.at + 1;
        let mut escaped = false;
        self.at = start;
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b'"' if !escaped => break,
                b'\\' => escaped = !escaped,
                _ => escaped = false,
            }
            self.at += 1;
        }
        let inside = self.bytes.get(start..self.at).unwrap_or_default();
        self.at += 1;
        String::from_utf8_lossy(inside).into_owned()
    }

    /// A number, a literal; of what is too deep, one byte after the other.
    fn word(&mut self) {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(|b| !b" \t\r\n,:]}\"".contains(b)) {
            self.at += 1;
        }
        self.at += usize::from(self.at == start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_lines() {
        let text = "{\n  \"a\": [\n    1,\n    {\n      \"b\\\"c\": null\n    }\n  ],\n  \"d\": \"x\\\\\"\n}\n";
        let lines = of(text);
        assert_eq!((lines["/a"], lines["/a/0"], lines["/a/1/b\\\"c"], lines["/d"]), (2, 3, 5, 8));
        assert_eq!(nearest(&lines, "/a/1/gone/deeper"), Some(4));
        assert_eq!(nearest(&lines, "/zzz"), Some(1));
    }

    #[test]
    fn any_bytes_come_to_an_end() {
        for odd in ["", "{", "[[[[", "{\"a", "{a:1}", "\\", "]]", "{\"a\":}", &"[".repeat(1000)] {
            of(odd);
        }
    }
}
