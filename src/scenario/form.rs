//! The shape of the language as data. One table (`language`) of these drives the check of a file, the JSON
//! Schema and the reference, so that the three cannot disagree.

/// A key of a map.
pub struct Key {
    /// As written.
    pub name: &'static str,
    /// What may stand behind it.
    pub form: Form,
    /// Whether it may be left out.
    pub need: Need,
    /// What it means, in a sentence or two.
    pub about: &'static str,
    /// As it may be written, in YAML's flow style.
    pub example: &'static str,
}

/// Whether a key may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It must be there.
    Required,
    /// Nothing happens without it.
    Optional,
    /// What holds without it.
    Default(&'static str),
}

/// What may stand somewhere.
#[derive(Clone, Copy)]
pub enum Form {
    /// A single value.
    Leaf(&'static Leaf),
    /// A list, with at least so many items.
    List(&'static Form, usize),
    /// One, or a list of at least one.
    OneOrMore(&'static Form),
    /// Known keys.
    Map(&'static Shape),
    /// Names of the user's own, each with the same form behind it.
    Names {
        /// What a name stands for: `a target`.
        what: &'static str,
        /// What a name looks like.
        name: &'static Leaf,
        /// What stands behind it.
        of: &'static Form,
    },
    /// A single value or something with a structure.
    Either(&'static Leaf, &'static Form),
    /// Any YAML at all (a JSON body).
    Anything,
}

/// A map with known keys.
pub struct Shape {
    /// Its name in the schema: `target`.
    pub name: &'static str,
    /// In a sentence: `a target`.
    pub what: &'static str,
    /// A paragraph for the reference.
    pub about: &'static str,
    /// Its keys, in the order that people write them.
    pub keys: &'static [Key],
    /// Of these exactly one is there as well.
    pub choice: Option<Choice>,
    /// Any number of keys of a pattern (`p99`, `p99.9`).
    pub pattern: Option<Pattern>,
}

/// Exactly one of several keys.
pub struct Choice {
    /// In a sentence: `fault`.
    pub what: &'static str,
    /// What can be chosen.
    pub keys: &'static [Key],
    /// Known names that this version cannot do yet.
    pub later: &'static [&'static str],
}

/// Keys that follow a pattern.
pub struct Pattern {
    /// For people: `p50 ... p99.99`.
    pub name: &'static str,
    /// Regex of the key.
    pub regex: &'static str,
    /// Whether a key follows it.
    pub accepts: fn(&str) -> bool,
    /// What stands behind it.
    pub form: Form,
    /// What it means.
    pub about: &'static str,
    /// As it may be written.
    pub example: &'static str,
}

/// A kind of single value.
pub struct Leaf {
    /// Its name in the schema: `length-of-time`.
    pub name: &'static str,
    /// In a sentence: `a length of time`.
    pub what: &'static str,
    /// In the reference.
    pub about: &'static str,
    /// What is wrong with a text, if anything is, and how it should be written; advice behind a line break.
    pub check: fn(&str) -> Result<(), String>,
    /// For editors: a regex that every good text matches.
    pub pattern: Option<&'static str>,
    /// The only values there are, each with what it means.
    pub words: &'static [(&'static str, &'static str)],
    /// What YAML may take it for, besides a text.
    pub json: Json,
    /// As it may be written.
    pub examples: &'static [&'static str],
}

/// The JSON types of a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Json {
    /// A text.
    Text,
    /// A text, or a number or truth value that is taken as its text.
    Scalar,
    /// A whole number, or a variable.
    Integer,
    /// `true`, `false`, or a variable.
    Boolean,
}

impl Shape {
    /// All fixed keys, chosen ones first.
    pub fn all_keys(&self) -> impl Iterator<Item = &'static Key> {
        self.choice.iter().flat_map(|choice| choice.keys).chain(self.keys)
    }

    /// What stands behind a key of this map.
    pub fn form_of(&self, key: &str) -> Option<Form> {
        let fixed = self.all_keys().find(|known| known.name == key).map(|known| known.form);
        fixed.or_else(|| self.pattern.as_ref().filter(|pattern| (pattern.accepts)(key)).map(|pattern| pattern.form))
    }
}
