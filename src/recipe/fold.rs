//! Some days of one course, merged into one run of tallies; and the video events that a course's folds name as
//! unreadable.

use std::io::Write;
use std::sync::Arc;

use crate::error::Result;
use crate::recipe::derived::Fold;
use crate::recipe::make::{Inputs, Summary};
use crate::recipe::tallies::merge::Merged;
use crate::recipe::tallies::record::{Record, Records};
use crate::recipe::tallies::run::RunWriter;
use crate::recipe::tallies::slices::open_runs;
use crate::recipe::{Artifact, Output, Outputs};

const PIECE_BYTES: usize = 256 << 10;

/// Merges the course's runs of all days. Output: `Whole`, one run.
///
/// Memory: a buffer a run. Errors: `Corrupt`, the inputs', the outputs'.
pub fn make(fold: &Fold, inputs: &dyn Inputs, outputs: &mut dyn Outputs) -> Result<Summary> {
    let mut runs = Vec::new();
    for day in &fold.days {
        let tallies = Artifact { recipe: day.tallies(), output: Output::Whole };
        runs.extend(open_runs(inputs, &tallies, &fold.course)?);
    }
    let mut merged = Merged::of_runs(runs)?;
    let slot = outputs.create(&Output::Whole)?;
    let mut writer = RunWriter::new();
    while let Some((key, value)) = merged.next_bytes()? {
        writer.push(key, value)?;
        if writer.written().len() >= PIECE_BYTES {
            outputs.append(slot, writer.written())?;
            writer.clear_written();
        }
    }
    outputs.append(slot, writer.written())?;
    Ok(Summary::default())
}

/// `errors.txt`: date of the log, tab, line of the course's file from 1, tab, reason. `folds`: of one course, in order
/// of time.
pub fn make_video_errors(folds: &[Arc<Fold>], inputs: &dyn Inputs, outputs: &mut dyn Outputs) -> Result<Summary> {
    let slot = outputs.create(&Output::Whole)?;
    let mut lines = Vec::new();
    // Folds share no day: one after the other they are in order.
    for fold in folds {
        let mut merged = Merged::of_folds(inputs, std::slice::from_ref(fold))?;
        while let Some(record) = merged.next()? {
            let Record::VideoError { date, line, reason } = record else { continue };
            writeln!(lines, "{date}\t{line}\t{reason}")?;
            if lines.len() >= PIECE_BYTES {
                outputs.append(slot, &lines)?;
                lines.clear();
            }
        }
    }
    outputs.append(slot, &lines)?;
    Ok(Summary::default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Recipe;
    use crate::recipe::testing::{Kept, MemoryInputs, blob, course, day, run};

    fn error(number: i8, line: u64) -> Record<'static> {
        Record::VideoError { date: day(number).date, line, reason: "no video id" }
    }

    fn count(user: &'static str, count: u64) -> Record<'static> {
        Record::Video { user, video: None, name: "play_video", count }
    }

    fn inputs_of(days: &[(i8, Vec<Vec<u8>>)]) -> MemoryInputs {
        let mut inputs = MemoryInputs::default();
        for (number, runs) in days {
            let other = run(&[Record::Events { count: 99 }]);
            let runs: Vec<_> = runs.iter().map(|run| ("A/B/C", &run[..])).chain([("D/E/F", &other[..])]).collect();
            inputs.keep(Artifact { recipe: day(*number).tallies(), output: Output::Whole }, blob(&runs));
        }
        inputs
    }

    fn fold(days: &[i8]) -> Arc<Fold> {
        Arc::new(Fold { course: course("A/B/C"), days: days.iter().map(|number| day(*number)).collect() })
    }

    fn made(fold: &Fold, inputs: &MemoryInputs) -> Vec<u8> {
        let mut kept = Kept::default();
        make(fold, inputs, &mut kept).expect("good days");
        kept.bytes(&Output::Whole).to_vec()
    }

    #[test]
    fn a_fold_is_one_run_of_all_its_days_runs() {
        let inputs = inputs_of(&[
            (1, vec![run(&[count("7", 1), count("x", 2)]), run(&[count("7", 10)])]),
            (2, vec![]),
            (3, vec![run(&[count("7", 100), count("9", 5)])]),
        ]);
        let expected = run(&[count("7", 111), count("9", 5), count("x", 2)]);
        assert_eq!(made(&fold(&[1, 2, 3]), &inputs), expected);
    }

    #[test]
    fn long_runs_are_streamed() {
        let users: Vec<String> = (10_000..60_000).map(|user: u32| user.to_string()).collect();
        let record = |user| Record::Video { user, video: Some("0123456789abcdef"), name: "play_video", count: 1 };
        let whole = run(&users.iter().map(|user| record(user)).collect::<Vec<_>>());
        let halves = users.split_at(20_000);
        let halves = [halves.0, halves.1].map(|half| run(&half.iter().map(|user| record(user)).collect::<Vec<_>>()));
        assert!(whole.len() > 2 * PIECE_BYTES);
        assert!(made(&fold(&[1]), &inputs_of(&[(1, halves.to_vec())])) == whole);
    }

    #[test]
    fn errors_are_in_order_of_date_and_line() {
        let mut inputs = inputs_of(&[
            (1, vec![run(&[count("7", 1), error(1, 9), error(1, 10)])]),
            (2, vec![run(&[error(2, 1)])]),
            (3, vec![run(&[count("7", 1)])]),
        ]);
        let folds = [fold(&[1, 2]), fold(&[3])];
        for fold in &folds {
            let whole = made(fold, &inputs);
            inputs.keep(Artifact { recipe: Recipe::Fold(fold.clone()), output: Output::Whole }, whole);
        }
        let mut kept = Kept::default();
        make_video_errors(&folds, &inputs, &mut kept).expect("good folds");
        let expected = "2015-08-01\t9\tno video id\n2015-08-01\t10\tno video id\n2015-08-02\t1\tno video id\n";
        assert_eq!(String::from_utf8_lossy(kept.bytes(&Output::Whole)), expected);
    }
}
