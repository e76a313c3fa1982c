//! Lines that this version cannot read as a whole: newer kinds of events, newer formats, damage.

use crate::event::EventKind;
use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, MapAccess},
};
use std::{collections::BTreeMap, fmt};

/// Just enough of any event, of whatever version.
#[derive(Deserialize)]
pub(super) struct Odd {
    pub seq: u64,
    pub kind: Kind,
}

/// The name of an event's kind: a text, or the only key of a map.
pub(super) struct Kind(pub String);

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Kind, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Kind;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the kind of an event")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Kind, E> {
                Ok(Kind(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
                let entry = map.next_entry::<String, IgnoredAny>()?;
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                entry.map(|(name, _)| Kind(name)).ok_or_else(|| de::Error::custom("no kind"))
            }
        }
        from.deserialize_any(Visitor)
    }
}

/// Whether this version has a kind of that name (its content may still be damaged).
pub(super) fn known(name: &str) -> bool {
    let named =
        serde_json::to_string(&BTreeMap::from([(name, ())])).and_then(|text| serde_json::from_str::<EventKind>(&text));
    match named {
        Ok(_) => true,
        Err(error) => !error.to_string().starts_with(&format!("unknown variant `{name}`")),
    }
}

/// The format that a first line claims, even if nothing else in it can be read.
pub(super) fn format_of(line: &[u8]) -> Option<u32> {
    #[derive(Deserialize)]
    struct First {
        kind: Start,
    }
    #[derive(Deserialize)]
    struct Start {
        run_started: Format,
    }
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    serde_json::from_slice::<First>(line).ok().map(|first| first.kind.run_started.format)
}
