//! Name look-ups that fail, come late or are answered wrongly: the settings, and what they make of one question.
//!
//! What is seen are questions over UDP and TCP to port 53 (or to the ports that the fault names), whoever the resolver
//! is. Over UDP we answer in the resolver's place. Over TCP no answer is made up: what would have been answered falsely
//! goes unanswered, while a mere delay is the same as over UDP. Questions inside TLS or HTTPS are not seen at all.

mod glob;
mod question;
mod resolving;

pub use glob::Glob;
pub use question::{Asked, asked};
pub use resolving::Resolving;

#[cfg(test)]
pub use question::tests::question;

use super::traffic::{Direction, Ports, Protocol, Traffic};
use crate::units::Span;
use hickory_resolver::proto::rr::RecordType;
use serde::{Deserialize, Serialize};
use std::{fmt, net::IpAddr};

/// The port of name servers.
const PORT: Ports = Ports { first: 53, last: 53 };
/// So many addresses fit into an answer of 512 bytes, whatever the name.
pub const ADDRESSES_MOST: usize = 8;

/// The settings of a fault in the look-up of names.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dns {
    /// Which names; empty: all.
    pub names: Vec<Glob>,
    /// What is answered; `None`: what the resolver says.
    pub answer: Option<Answer>,
    /// How much later.
    pub delay: Span,
}

/// An answer that is not the resolver's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// The resolver cannot say (SERVFAIL).
    ServFail,
    /// There is no such name (NXDOMAIN), without saying for how long.
    NxDomain,
    /// None at all.
    Timeout,
    /// These addresses, for no time to come. Asked for a kind of address that is not among them: there is none of that
    /// kind. Questions about anything but addresses go on to the resolver.
    Wrong(Vec<IpAddr>),
}

/// What becomes of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// It goes on.
    On,
    /// It goes on later.
    Late,
    /// It is answered by us.
    Answered,
    /// It ends here.
    Ends,
}

impl Dns {
    /// # Errors
    /// Settings that make no sense together, in words.
    pub fn check(&self) -> Result<(), String> {
        match &self.answer {
            None if self.delay == Span::ZERO => Err("a dns fault needs an answer, a delay or both".into()),
            Some(Answer::Timeout) if self.delay != Span::ZERO => {
                Err("no answer at all (timeout) cannot come late as well".into())
            }
            Some(Answer::Wrong(addresses)) if addresses.is_empty() => {
                Err("a wrong answer needs the addresses to answer with".into())
            }
            Some(Answer::Wrong(addresses)) if addresses.len() > ADDRESSES_MOST => {
                Err(format!("{} addresses; an answer holds up to {ADDRESSES_MOST}", addresses.len()))
            }
            _ => Ok(()),
        }
    }

    /// The packets to look at: questions on their way out, those to resolvers on loopback (as Docker's is) included.
    ///
    /// # Errors
    /// Traffic that cannot hold a question, in words.
    pub fn traffic(&self, given: Traffic) -> Result<Traffic, String> {
        if given.protocol == Some(Protocol::Icmp) {
            return Err("names are not looked up over ICMP".into());
        }
        if given.direction == Direction::In {
            return Err("a dns fault is about the questions that the target asks, not those that it gets".into());
        }
        let remote_ports = if given.remote_ports.is_empty() { vec![PORT] } else { given.remote_ports };
        Ok(Traffic { direction: Direction::Out, loopback: true, remote_ports, ..given })
    }

    /// Whether we make up packets for it.
    pub fn answers(&self) -> bool {
        !matches!(self.answer, None | Some(Answer::Timeout))
    }

    /// Whether a name, in lower case and without its final dot, is meant.
    pub fn means(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|glob| glob.matches(name))
    }

    /// What becomes of a question about a name that is meant.
    pub fn course(&self, asked: &Asked) -> Course {
        match &self.answer {
            None => Course::Late,
            Some(Answer::Timeout) => Course::Ends,
            Some(Answer::Wrong(_)) if !matches!(asked.kind(), RecordType::A | RecordType::AAAA) => Course::On,
            Some(_) if asked.over_tcp => Course::Ends,
            Some(_) => Course::Answered,
        }
    }
}

impl fmt::Display for Dns {
    /// `payments*: servfail, 200ms late`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.names.iter().map(Glob::to_string).collect();
        let whose = if names.is_empty() { "all names".into() } else { names.join(", ") };
        write!(f, "{whose}: ")?;
        match &self.answer {
            None => {}
            Some(Answer::ServFail) => f.write_str("servfail")?,
            Some(Answer::NxDomain) => f.write_str("nxdomain")?,
            Some(Answer::Timeout) => f.write_str("no answer")?,
            Some(Answer::Wrong(addresses)) => {
                let addresses: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
                write!(f, "{}", addresses.join(", "))?;
            }
        }
        match (&self.answer, self.delay) {
            (_, Span::ZERO) => Ok(()),
            (None, delay) => write!(f, "answers {delay} late"),
            (Some(_), delay) => write!(f, ", {delay} late"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_read_as_words() {
        for (text, words) in [
            (
                r#"{"names":["payments*","db"],"answer":"servfail","delay":"200ms"}"#,
                "payments*, db: servfail, 200ms late",
            ),
            (r#"{"answer":{"wrong":["10.0.0.9","fd00::9"]}}"#, "all names: 10.0.0.9, fd00::9"),
            (r#"{"answer":"timeout"}"#, "all names: no answer"),
            (r#"{"delay":"1s"}"#, "all names: answers 1s late"),
        ] {
            assert_eq!(dns(text).to_string(), words);
        }
    }

    fn dns(text: &str) -> Dns {
        serde_json::from_str(text).expect("settings")
    }

    #[test]
    fn settings_read_as_they_are_written() {
        for text in [
            r#"{"names":["payments*"],"answer":"servfail","delay":"0s"}"#,
            r#"{"names":[],"answer":{"wrong":["10.0.0.9","fd00::9"]},"delay":"250ms"}"#,
            r#"{"names":[],"answer":null,"delay":"1s"}"#,
        ] {
            assert_eq!(serde_json::to_string(&dns(text)).expect("text"), text);
            assert_eq!(dns(text).check(), Ok(()));
        }
    }

    #[test]
    fn settings_without_sense_are_told() {
        for (text, why) in [
            ("{}", "needs an answer"),
            (r#"{"answer":"timeout","delay":"1s"}"#, "cannot come late"),
            (r#"{"answer":{"wrong":[]}}"#, "needs the addresses"),
            (r#"{"answer":{"wrong":["::1","::1","::1","::1","::1","::1","::1","::1","::1"]}}"#, "up to 8"),
        ] {
            assert!(dns(text).check().unwrap_err().contains(why), "{text}");
        }
        let icmp = Traffic { protocol: Some(Protocol::Icmp), ..Traffic::default() };
        assert!(dns("{}").traffic(icmp).is_err());
        let incoming = Traffic { direction: Direction::In, ..Traffic::default() };
        assert!(dns("{}").traffic(incoming).is_err());
    }

    #[test]
    fn questions_go_out_to_port_53_and_to_loopback_too() {
        let traffic = dns("{}").traffic(Traffic::default()).expect("nothing speaks against it");
        assert_eq!((traffic.direction, traffic.loopback, traffic.remote_ports), (Direction::Out, true, vec![PORT]));
        let other = Traffic { remote_ports: vec![Ports { first: 5353, last: 5353 }], ..Traffic::default() };
        assert_eq!(dns("{}").traffic(other.clone()).expect("a port").remote_ports, other.remote_ports);
    }
}
