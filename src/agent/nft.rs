//! Rules of nf_tables as values: written into netlink messages, and told from what the kernel lists.

use super::netlink::{
    APPEND, Attributes, CREATE, Command, EXCLUSIVE, Messages, NetlinkError, Socket, attribute, attributes, text,
};

/// nf_tables among netfilter's subsystems.
pub const SUBSYSTEM: u8 = 10;
/// `NFPROTO_INET`: IPv4 and IPv6 in one table.
const INET: u8 = 1;
/// `NFT_TABLE_F_OWNER`: the table goes when its maker's socket closes.
pub const OWNER: u32 = 2;

const NEW_TABLE: u16 = 0;
const DELETE_TABLE: u16 = 2;
const NEW_CHAIN: u16 = 3;
const DELETE_CHAIN: u16 = 5;
const NEW_RULE: u16 = 6;
const GET_RULE: u16 = 7;
const DELETE_RULE: u16 = 8;
const NEW_OBJECT: u16 = 18;
const GET_OBJECT: u16 = 19;
const DELETE_OBJECT: u16 = 20;
const COUNTER_OBJECT: u32 = 1;

const REGISTER: u32 = 1;
const VERDICT_REGISTER: u32 = 0;

fn command(kind: u16) -> Command {
    Command { kind: u16::from(SUBSYSTEM) << 8 | kind, family: INET, resource: 0 }
}

/// What a packet carries beside its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Meta {
    /// The mark.
    Mark = 3,
    /// The type of the interface it came by.
    InType = 8,
    /// The type of the interface it leaves by.
    OutType = 9,
    /// IPv4 or IPv6.
    Family = 15,
    /// What IP carries.
    Protocol = 16,
}

/// From where the bytes of a packet are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Base {
    /// The IP header.
    Network = 1,
    /// The header behind it.
    Transport = 2,
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Is {
    /// Equal.
    Equal = 0,
    /// Different.
    Other = 1,
    /// At most.
    Most = 3,
    /// At least.
    Least = 5,
}

/// Where a packet goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// On, past the rest of this chain.
    Accept,
    /// Nowhere.
    Drop,
    /// Back to the chain that jumped here.
    Return,
    /// Through another chain, and back.
    Jump(String),
}

/// How a packet is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// By a TCP reset.
    Reset,
    /// By ICMP: port unreachable.
    Unreachable,
}

/// How packets reach a queue on this kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueBy {
    /// nf_tables' own expression.
    Native,
    /// The target of iptables, through the compatibility layer.
    Compat,
}

/// One step of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Loads something about the packet.
    Meta(Meta),
    /// Loads bytes of the packet: from where, offset, length.
    Payload(Base, u32, u32),
    /// Keeps these bits of what was loaded.
    Mask(Vec<u8>),
    /// Goes on only if what was loaded compares so.
    Compare(Is, Vec<u8>),
    /// Counts, in a counter that outlives the rule.
    Count(String),
    /// Ends.
    Verdict(Verdict),
    /// Ends, and answers.
    Reject(Refusal),
    /// Hands the packet over; if nobody listens it goes on.
    Queue(u16, QueueBy),
    /// Hands the packet to a queue that nobody listens to, where it ends. Unlike a drop, its sender is told nothing: a
    /// drop on the way out makes `sendto` fail with EPERM, as no network does.
    Void(u16, QueueBy),
    /// Keeps the packet out of connection tracking.
    Untrack,
}

impl Step {
    /// The kernel's name for it.
    pub fn name(&self) -> &'static str {
        match self {
            Step::Meta(_) => "meta",
            Step::Payload(..) => "payload",
            Step::Mask(_) => "bitwise",
            Step::Compare(..) => "cmp",
            Step::Count(_) => "objref",
            Step::Verdict(_) => "immediate",
            Step::Reject(_) => "reject",
            Step::Untrack => "notrack",
            Step::Queue(_, QueueBy::Native) | Step::Void(_, QueueBy::Native) => "queue",
            Step::Queue(_, QueueBy::Compat) | Step::Void(_, QueueBy::Compat) => "target",
        }
    }

    fn write(&self, a: &mut Attributes<'_>) {
        match self {
            Step::Meta(key) => {
                a.word(1, REGISTER).word(2, *key as u32);
            }
            Step::Payload(base, offset, length) => {
                a.word(1, REGISTER).word(2, *base as u32).word(3, *offset).word(4, *length);
            }
            Step::Mask(mask) => {
                a.word(1, REGISTER).word(2, REGISTER).word(3, mask.len() as u32);
                a.nest(4, |d| _ = d.bytes(1, mask)).nest(5, |d| _ = d.bytes(1, &vec![0; mask.len()]));
            }
            Step::Compare(is, value) => {
                a.word(1, REGISTER).word(2, *is as u32).nest(3, |d| _ = d.bytes(1, value));
            }
            Step::Count(counter) => {
                a.word(1, COUNTER_OBJECT).text(2, counter);
            }
            Step::Verdict(verdict) => {
                a.word(1, VERDICT_REGISTER).nest(2, |d| _ = d.nest(2, |v| verdict.write(v)));
            }
            Step::Reject(Refusal::Reset) => {
                a.word(1, 1);
            }
            Step::Reject(Refusal::Unreachable) => {
                a.word(1, 2).bytes(2, &[1]);
            }
            Step::Untrack => {}
            Step::Queue(number, by) => queue(a, *number, *by, BYPASS),
            Step::Void(number, by) => queue(a, *number, *by, 0),
        }
    }
}

/// Packets go on where nobody listens.
const BYPASS: u16 = 1;

fn queue(a: &mut Attributes<'_>, number: u16, by: QueueBy, flags: u16) {
    match by {
        QueueBy::Native => {
            a.short(1, number).short(2, 1).short(3, flags);
        }
        QueueBy::Compat => {
            // struct xt_NFQ_info_v3: number, how many, flags, in the machine's own order.
            let info: Vec<u8> = [number, 1, flags].iter().flat_map(|field| field.to_ne_bytes()).collect();
            a.text(1, "NFQUEUE").word(2, 3).bytes(3, &info);
        }
    }
}

impl Verdict {
    fn write(&self, a: &mut Attributes<'_>) {
        let code: i32 = match self {
            Verdict::Drop => 0,
            Verdict::Accept => 1,
            Verdict::Jump(_) => -3,
            Verdict::Return => -5,
        };
        a.word(1, code as u32);
        if let Verdict::Jump(chain) = self {
            a.text(2, chain);
        }
    }
}

/// A rule, in its chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The chain.
    pub chain: String,
    /// What it is for; the kernel keeps it beside the rule.
    pub tag: String,
    /// In order.
    pub steps: Vec<Step>,
}

/// A rule as the kernel lists it: enough to see that it is the one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The chain.
    pub chain: String,
    /// What it is for.
    pub tag: String,
    /// The names of its steps.
    pub steps: Vec<String>,
}

impl Rule {
    /// As the kernel would list it.
    pub fn listed(&self) -> Listed {
        let steps = self.steps.iter().map(|step| step.name().to_owned()).collect();
        Listed { chain: self.chain.clone(), tag: self.tag.clone(), steps }
    }
}

/// Where packets enter a chain.
#[derive(Debug, Clone, Copy)]
pub struct Hook {
    /// 1 in, 3 out.
    pub number: u32,
    /// Lower comes first.
    pub priority: i32,
}

/// A table of this name; every change is written into a batch.
pub struct Table<'a> {
    /// Its name.
    pub name: &'a str,
    /// The batch.
    pub batch: &'a mut Messages,
}

impl Table<'_> {
    /// Makes it; fails if there is one.
    pub fn create(&mut self, flags: u32) {
        let name = self.name;
        self.batch.add("the table", command(NEW_TABLE), CREATE | EXCLUSIVE, |a| _ = a.text(1, name).word(2, flags));
    }

    /// Removes it with all that is in it.
    pub fn delete(&mut self) {
        let name = self.name;
        self.batch.add("the removal of the table", command(DELETE_TABLE), 0, |a| _ = a.text(1, name));
    }

    /// Makes a chain.
    pub fn chain(&mut self, chain: &str, hook: Option<Hook>) {
        let name = self.name;
        self.batch.add("a chain", command(NEW_CHAIN), CREATE, |a| {
            a.text(1, name).text(3, chain);
            if let Some(hook) = hook {
                a.nest(4, |h| _ = h.word(1, hook.number).word(2, hook.priority as u32)).text(7, "filter");
            }
        });
    }

    /// Removes an empty chain.
    pub fn delete_chain(&mut self, chain: &str) {
        let name = self.name;
        self.batch.add("the removal of a chain", command(DELETE_CHAIN), 0, |a| _ = a.text(1, name).text(3, chain));
    }

    /// Removes the rules of a chain.
    pub fn flush(&mut self, chain: &str) {
        let name = self.name;
        self.batch.add("the removal of rules", command(DELETE_RULE), 0, |a| _ = a.text(1, name).text(2, chain));
    }

    /// Adds a rule at the end of its chain.
    pub fn rule(&mut self, rule: &Rule) {
        let name = self.name;
        self.batch.add("a rule", command(NEW_RULE), CREATE | APPEND, |a| {
            a.text(1, name).text(2, &rule.chain);
            a.nest(4, |list| {
                for step in &rule.steps {
                    list.nest(1, |e| _ = e.text(1, step.name()).nest(2, |data| step.write(data)));
                }
            });
            a.bytes(7, rule.tag.as_bytes());
        });
    }

    /// Makes a counter.
    pub fn counter(&mut self, counter: &str) {
        let name = self.name;
        self.batch.add("a counter", command(NEW_OBJECT), CREATE, |a| {
            a.text(1, name).text(2, counter).word(3, COUNTER_OBJECT).nest(4, |_| {});
        });
    }

    /// Removes a counter that no rule uses.
    pub fn delete_counter(&mut self, counter: &str) {
        let name = self.name;
        self.batch.add("the removal of a counter", command(DELETE_OBJECT), 0, |a| {
            a.text(1, name).text(2, counter).word(3, COUNTER_OBJECT);
        });
    }
}

/// The rules of a table, as the kernel has them.
///
/// # Errors
/// The kernel's.
pub fn rules(socket: &mut Socket, table: &str) -> Result<Vec<Listed>, NetlinkError> {
    let entries = socket.dump(command(GET_RULE), command(NEW_RULE).kind, |a| _ = a.text(1, table))?;
    Ok(entries.iter().filter(|entry| attribute(entry, 1).map(text) == Some(table)).map(|entry| listed(entry)).collect())
}

fn listed(entry: &[u8]) -> Listed {
    let field = |kind| attribute(entry, kind).unwrap_or_default();
    let steps = attributes(field(4)).filter_map(|(_, step)| Some(text(attribute(step, 1)?).to_owned()));
    Listed { chain: text(field(2)).to_owned(), tag: text(field(7)).to_owned(), steps: steps.collect() }
}

/// The counters of a table by name: packets.
///
/// # Errors
/// The kernel's.
pub fn counters(socket: &mut Socket, table: &str) -> Result<Vec<(String, u64)>, NetlinkError> {
    let entries = socket.dump(command(GET_OBJECT), command(NEW_OBJECT).kind, |a| {
        a.text(1, table).word(3, COUNTER_OBJECT);
    })?;
    Ok(entries.iter().filter(|entry| attribute(entry, 1).map(text) == Some(table)).filter_map(|e| packets(e)).collect())
}

fn packets(entry: &[u8]) -> Option<(String, u64)> {
    let count = attribute(attribute(entry, 4)?, 2)?;
    Some((text(attribute(entry, 2)?).to_owned(), u64::from_be_bytes(count.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::netlink::messages;

    #[test]
    fn a_rule_as_it_is_sent_lists_as_itself() {
        let rule = Rule {
            chain: "shape-out".into(),
            tag: "1 shape".into(),
            steps: vec![
                Step::Meta(Meta::Family),
                Step::Compare(Is::Equal, vec![2]),
                Step::Payload(Base::Network, 16, 4),
                Step::Mask(vec![255, 0, 0, 0]),
                Step::Compare(Is::Equal, vec![10, 0, 0, 0]),
                Step::Count("1-out-hit".into()),
                Step::Queue(5, QueueBy::Compat),
                Step::Reject(Refusal::Reset),
                Step::Verdict(Verdict::Jump("x".into())),
            ],
        };
        let mut batch = Messages::default();
        Table { name: "t", batch: &mut batch }.rule(&rule);
        let sent = messages(batch.as_bytes()).next().expect("one message");
        assert_eq!(listed(&sent.body[4..]), rule.listed());
    }
}
