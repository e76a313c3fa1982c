//! What runs inside helper containers: the packet engine in the target's network namespace, work on processes and
//! resources, and the lease over both.
//!
//! `protocol` is what runner and agent say to each other; `session` obeys, and undoes everything when the `lease` is
//! over. `network` keeps two things in step: `rules`, our table (`nft` over `netlink`), which the kernel removes when we
//! die; and `engine`, the packet thread, which takes packets from `nfqueue`, asks the pure models in `shape` and `dns`
//! what becomes of them, keeps them in `held`, and sends its copies by `inject`. `traffic` says which packets are meant.
//! Faults on processes and resources are `work`; their agents stand elsewhere, and their lease is the same.

pub mod dns;
pub mod engine;
mod fates;
mod ground;
mod held;
mod inject;
mod lease;
mod netlink;
pub mod network;
mod nfqueue;
pub mod nft;
pub mod packet;
pub mod protocol;
mod receipts;
mod rules;
pub mod session;
pub mod shape;
mod tally;
pub mod traffic;
pub mod work;
