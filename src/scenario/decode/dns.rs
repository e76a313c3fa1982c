//! The fault in the look-up of names.

use super::{Decoder, text, value};
use crate::{
    agent::{
        dns::{ADDRESSES_MOST, Answer, Dns, Glob},
        protocol::Effect,
        traffic::{Block, Direction, Share, Traffic},
    },
    fault::{Fault, PacketKind, PacketSettings, To},
    scenario::{leaf, tree::Node},
    units::Span,
};
use std::{net::IpAddr, str::FromStr};

impl Decoder {
    pub(super) fn dns(&mut self, node: &Node) -> Fault {
        let dns = Dns {
            names: all::<Glob>(node, "names"),
            answer: self.answer(node),
            delay: value(node, "delay").unwrap_or(Span::ZERO),
        };
        if node.get("answer").is_none() && node.get("delay").is_none() {
            self.report(
                node,
                "a `dns` fault without an answer or a delay changes nothing",
                "say `answer`, `delay` or both",
            );
        }
        if let Some(delay) = node.get("delay").filter(|_| dns.answer == Some(Answer::Timeout)) {
            self.report(
                delay,
                "with `answer: timeout` nothing comes, so nothing comes late",
                "remove `delay`, or the answer",
            );
        }
        let share = text(node, "only").and_then(|text| leaf::part(&text).ok()).map(|(percent, connections)| {
            if connections { Share::Connections(percent) } else { Share::Packets(percent) }
        });
        Fault::Packets(Box::new(PacketSettings {
            kind: PacketKind::Dns,
            traffic: Traffic { direction: Direction::Out, share, ..Traffic::default() },
            to: all::<Block>(node, "resolvers").into_iter().map(To::Addresses).collect(),
            network: None,
            effect: Effect::Dns(Box::new(dns)),
        }))
    }

    fn answer(&mut self, node: &Node) -> Option<Answer> {
        let addresses = all::<IpAddr>(node, "addresses");
        let answer = text(node, "answer");
        let wrong = answer.as_deref() == Some("wrong");
        if let Some(given) = node.get("addresses").filter(|_| !wrong) {
            self.report(given, "`addresses` are what a wrong answer says", "add `answer: wrong`, or remove them");
        }
        if let Some(given) = node.get("addresses").filter(|_| addresses.len() > ADDRESSES_MOST) {
            let what = format!("{} addresses; an answer holds up to {ADDRESSES_MOST}", addresses.len());
            self.report(given, what, "give fewer");
        }
        match answer.as_deref() {
            Some("servfail") => Some(Answer::ServFail),
            Some("nxdomain") => Some(Answer::NxDomain),
            Some("timeout") => Some(Answer::Timeout),
            Some("wrong") => {
                if let Some(given) = node.get("answer").filter(|_| node.get("addresses").is_none()) {
                    self.report(given, "a wrong answer needs something to say", "add `addresses: [192.0.2.1]`");
                }
                Some(Answer::Wrong(addresses))
            }
            _ => None,
        }
    }
}

/// One value or a list of them; what cannot be read has been told already.
fn all<T: FromStr>(node: &Node, key: &str) -> Vec<T> {
    let Some(given) = node.get(key) else { return Vec::new() };
    let one = std::slice::from_ref(given);
    let items = if given.items().is_empty() { one } else { given.items() };
    items.iter().filter_map(|item| item.text()?.parse().ok()).collect()
}
