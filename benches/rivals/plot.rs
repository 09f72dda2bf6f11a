//! The ratios as a picture: a field for each operation and number of sessions, a bar for each way.

use std::path::Path;

use plotters::prelude::*;

use crate::{
    measure::{Contest, Line},
    operation::Operation,
    shared::Result,
    ways::Way,
};

const COLUMNS: usize = 3;
const WIDTH: i32 = 400;
const BAR: i32 = 17;
/// Where the bars begin: behind the names of the ways.
const LEFT: i32 = 150;
const TOP: i32 = 36;

pub(crate) fn draw(contests: &[Contest], file: &Path) -> Result<()> {
    let fields: Vec<&Contest> =
        contests.iter().filter(|contest| contest.operation != Operation::NoTransaction).collect();
    let most = fields.iter().map(|contest| contest.lines.len()).max().unwrap_or(0);
    let height = TOP + BAR * i32::try_from(most)? + 14;
    let rows = fields.len().div_ceil(COLUMNS);
    let size = (u32::try_from(WIDTH)? * COLUMNS as u32, u32::try_from(height)? * u32::try_from(rows)?);
    let area = SVGBackend::new(file, size).into_drawing_area();
    area.fill(&WHITE)?;
    for (field, contest) in area.split_evenly((rows, COLUMNS)).iter().zip(fields) {
        let title = format!("{}, {} at once", contest.operation, contest.sessions);
        field.draw(&Text::new(title, (8, 12), ("sans-serif", 14).into_font()))?;
        let ratio = |line: &Line| if line.failure.is_some() { 0.0 } else { line.ratio(&contest.lines[0]).0 };
        let highest = contest.lines.iter().map(ratio).fold(1.0, f64::max);
        let end = |ratio: f64| LEFT + (ratio / highest * f64::from(WIDTH - LEFT - 50)) as i32;
        for (place, line) in contest.lines.iter().enumerate() {
            let y = TOP + BAR * i32::try_from(place)?;
            let colour = match line.way {
                Way::Lockset | Way::LocksetAsync => RGBColor(31, 119, 180),
                _ => RGBColor(160, 160, 160),
            };
            let shown = line.failure.as_ref().map_or_else(|| format!("{:.2}", ratio(line)), |_| "-".to_owned());
            let font = || ("sans-serif", 12).into_font();
            field.draw(&Text::new(line.way.to_string(), (8, y + 2), font()))?;
            field.draw(&Rectangle::new([(LEFT, y), (end(ratio(line)), y + BAR - 4)], colour.filled()))?;
            field.draw(&Text::new(shown, (end(ratio(line)) + 5, y + 2), font()))?;
        }
        let bottom = TOP + BAR * i32::try_from(contest.lines.len())?;
        field.draw(&PathElement::new([(end(1.0), TOP - 4), (end(1.0), bottom)], BLACK.mix(0.5)))?;
    }
    area.present()?;
    Ok(())
}
