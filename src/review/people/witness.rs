//! Whether the run that is said to have verified an action item did so: `firedrill followup` leaves a record of it in the
//! new run's folder.

use crate::journal::RunFolder;
use jiff::civil::DateTime;
use std::{fs, path::PathBuf};

/// The folder of reports is at most so many folders above a run's.
const UP: usize = 3;

/// What speaks against it: `verified` by this run.
///
/// # Errors
/// Why that is not so; for people.
pub fn verified(by: Option<&str>, item: &str, review: &RunFolder) -> Result<(), String> {
    let named = by.map(|by| by.strip_prefix("run ").unwrap_or(by));
    let run = named.filter(|by| is_run(by)).ok_or("no run is named that verified it")?;
    let folder = beside(review, run).ok_or_else(|| format!("there is no run {run} in the same folder of reports"))?;
    let record = fs::read_to_string(folder.join("followup.md")).unwrap_or_default();
    let row = format!("| {item} |");
    let says = record.lines().any(|line| line.starts_with(&row) && line.contains("| **verified** |"));
    if says { Ok(()) } else { Err(format!("the followup.md of run {run} does not say that it was verified")) }
}

/// `20260301T100000Z-cache-loss-7f3a`, and no path.
fn is_run(name: &str) -> bool {
    let began = name.split_once('-').is_some_and(|(time, _)| DateTime::strptime("%Y%m%dT%H%M%SZ", time).is_ok());
    began && name.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c))
}

fn beside(review: &RunFolder, run: &str) -> Option<PathBuf> {
    let here = fs::canonicalize(review.path()).ok()?;
    here.ancestors().skip(1).take(UP).map(|above| above.join(run)).find(|folder| folder.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_run_whose_record_says_so_has_verified_an_item() {
        let reports = tempfile::tempdir().unwrap();
        let review = RunFolder(reports.path().join("day/20260301T100000Z-a-0001"));
        let run = "20260401T100000Z-a-0002";
        let new = reports.path().join(run);
        fs::create_dir_all(review.path()).unwrap();
        let says = |by, item: &str| verified(by, item, &review).err().unwrap_or_default();
        assert!(says(None, "A-0000000a").contains("no run is named"));
        for name in ["Bob", "../20260401T100000Z-a-0002", "20260401T100000Z"] {
            assert!(says(Some(name), "A-0000000a").contains("no run is named"), "{name}");
        }
        assert!(says(Some(run), "A-0000000a").contains("there is no run 20260401T100000Z-a-0002"));
        fs::create_dir(&new).unwrap();
        assert!(says(Some(run), "A-0000000a").contains("does not say"));
        let rows =
            "| A-0000000a | x | done | **verified** | y | `z` |\n| A-0000000b | x | done | **not yet** | y | `z` |\n";
        fs::write(new.join("followup.md"), rows).unwrap();
        assert_eq!(says(Some(run), "A-0000000a"), "");
        assert!(says(Some(run), "A-0000000b").contains("does not say"));
    }
}
