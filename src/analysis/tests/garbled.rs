//! Files and events that no runner ever wrote.

use super::*;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever happens to the files: findings or an error, never a panic.
    #[test]
    fn nothing_panics(cut_journal in 0.0..1.0f64, cut_log in 0.0..1.0f64, flips in prop::collection::vec((any::<bool>(), 0.0..1.0f64, any::<u8>()), 0..12)) {
        thread_local!(static STAGE: (Vec<u8>, Vec<u8>) = {
            let mut stage = Stage::new();
            stage.web(frozen(T0 + PAUSING, UNDO + THAWING));
            let folder = stage.write();
            (std::fs::read(folder.journal()).unwrap(), std::fs::read(folder.requests()).unwrap())
        });
        let (mut journal, mut log) = STAGE.with(Clone::clone);
        for (in_journal, at, byte) in flips {
            let file = if in_journal { &mut journal } else { &mut log };
            let at = (at * file.len() as f64) as usize;
            file[at] = byte;
        }
        let keep = |file: &mut Vec<u8>, share: f64| {
            // Half of the time whole.
            let keep = (share * 2.0).min(1.0);
            file.truncate((keep * file.len() as f64) as usize);
        };
        keep(&mut journal, cut_journal);
        keep(&mut log, cut_log);
        let folder = tempfile::tempdir().unwrap();
        let run = crate::journal::RunFolder(folder.path().to_owned());
        std::fs::write(run.journal(), &journal).unwrap();
        std::fs::write(run.requests(), &log).unwrap();
        let _ = analyse(&run);
    }

    /// Events with wild times, dropped, doubled: never a panic either.
    #[test]
    fn wild_events_do_not_panic(seed in any::<u64>()) {
        use rand::{RngExt, SeedableRng};
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut stage = Stage::new();
        let events = std::mem::take(&mut stage.events);
        for (at, kind) in events {
            match rng.random_range(0..6) {
                0 => {}
                1 => stage.tell(rng.random_range(0..100 * S), kind),
                2 => { stage.tell(at, kind.clone()); stage.tell(at + 1, kind) }
                _ => stage.tell(at, kind),
            }
        }
        stage.analyse();
    }
}
