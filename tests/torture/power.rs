//! Power cuts.

use anyhow::Result;

use crate::Verdict;
use crate::args::Args;
use crate::check::Findings;
use crate::content::Dice;
use crate::disk::Disk;
use crate::service::{Launch, Life};

/// MiB of the disk: for the records of all cuts.
const DISK: u64 = 2_048;

/// With `power`, nothing is lost.
pub(crate) fn survives(args: &Args) -> Result<Verdict> {
    match Disk::new(DISK) {
        Ok(disk) => Ok(cut_again_and_again(args, &disk, "power", false)?.must_have_lost_nothing()),
        Err(error) => Ok(Verdict::Skipped(format!("{error:#}"))),
    }
}

/// With `process`, something is: the cuts are real.
pub(crate) fn control(args: &Args) -> Result<Verdict> {
    match Disk::new(DISK) {
        Ok(disk) => Ok(cut_again_and_again(args, &disk, "process", true)?.must_have_lost_some()),
        Err(error) => Ok(Verdict::Skipped(format!("{error:#}"))),
    }
}

fn cut_again_and_again(
    args: &Args,
    disk: &Disk,
    durability: &'static str,
    until_lost: bool,
) -> Result<Findings> {
    let mut findings = Findings::default();
    let mut dice = Dice::new(args.seed ^ 1);
    let mut life = Life::begin(Launch::program(&disk.directory(), durability), &mut findings)?;
    // What opened the ports must be there again, also where nothing is promised to be.
    disk.flush()?;
    for _ in 0..args.cuts {
        life.die(args, &mut dice, |service, load| {
            // A flush that is under way when an ext4 is shut down may be told that it worked, and its data is gone: what
            // is answered from here on proves nothing. A bare loop of write and flush shows the same.
            load.discount();
            disk.cut()?;
            service.kill()?;
            disk.restart()
        })?;
        if until_lost && life.findings.lost > 0 {
            break;
        }
        if life.findings.deaths.is_multiple_of(10) {
            println!("  {}", life.findings.summary());
        }
    }
    life.finish()?;
    Ok(findings)
}
