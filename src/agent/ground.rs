//! The ground a namespace offers: making our table there, and finding out what it can do.

use super::{
    netlink::{Messages, Socket},
    network::{NetworkError, TABLE},
    nft::{self, QueueBy, Rule, Step, Table},
    protocol::PID,
    rules,
};
use rustix::io::Errno;

/// A queue number to try rules with; nothing is queued.
const TRIED_QUEUE: u16 = 0xfdff;

/// Makes the table; true if the kernel will remove it when we are gone.
pub fn create_table(socket: &mut Socket) -> Result<bool, NetworkError> {
    let mut create = |flags| socket.batch(nft::SUBSYSTEM, |batch| Table { name: TABLE, batch }.create(flags));
    let made = match create(nft::OWNER) {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.errno(), Errno::INVAL | Errno::OPNOTSUPP) => create(0).map(|()| false),
        Err(error) => Err(error),
    };
    made.map_err(|error| match error.errno() {
        Errno::EXIST => NetworkError::Lacking(format!(
            "the table `{TABLE}` is in its network already, and nobody owns it: restart the container, or as root on \
             its host: nsenter -t {PID} -n nft delete table inet {TABLE}"
        )),
        Errno::PERM => {
            NetworkError::Lacking("no right to change packet rules (NET_ADMIN), or another agent is here".into())
        }
        Errno::INVAL | Errno::OPNOTSUPP | Errno::PROTONOSUPPORT => {
            NetworkError::Lacking("this kernel has no nf_tables for IPv4 and IPv6 together".into())
        }
        _ => error.into(),
    })
}

/// Tries which way packets can reach a queue.
pub fn find_queue(socket: &mut Socket) -> Option<QueueBy> {
    [QueueBy::Native, QueueBy::Compat].into_iter().find(|by| takes(socket, Step::Queue(TRIED_QUEUE, *by)))
}

/// Tries whether packets can be kept out of connection tracking.
pub fn can_untrack(socket: &mut Socket) -> bool {
    takes(socket, Step::Untrack)
}

/// Whether the kernel takes a rule with this step, where no packet meets it.
fn takes(socket: &mut Socket, step: Step) -> bool {
    let rule = Rule { chain: "probe".into(), tag: "probe".into(), steps: vec![step] };
    let tried = socket.batch(nft::SUBSYSTEM, |batch| {
        let mut table = Table { name: TABLE, batch };
        table.chain("probe", None);
        table.rule(&rule);
        table.flush("probe");
        table.delete_chain("probe");
    });
    tried.is_ok()
}

/// The chains, and the rules that always stand.
pub fn build(batch: &mut Messages, means: rules::Means) {
    let mut table = Table { name: TABLE, batch };
    let queueing = rules::queueing(means);
    queueing.iter().for_each(|rule| table.chain(&rule.chain, None));
    rules::changing().iter().for_each(|chain| table.chain(chain, None));
    rules::base().iter().for_each(|(chain, hook)| table.chain(chain, Some(*hook)));
    rules::standing(means).iter().for_each(|rule| table.rule(rule));
}
