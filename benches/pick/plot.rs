//! The ratios as a picture.

use std::{collections::BTreeSet, path::Path};

use plotters::prelude::*;

use crate::{measure::Comparison, report::TARGET, shared::Result, work::Operation};

const SIZE: (u32, u32) = (960, 420);
/// One for each number of jobs per call, and again from the first.
const COLOURS: [RGBColor; 3] = [RGBColor(31, 119, 180), RGBColor(214, 120, 20), RGBColor(44, 140, 60)];

/// Draws one field for each operation: workers to the right, the ratio upwards, a line for each number of jobs per call.
pub(crate) fn draw(comparisons: &[Comparison], file: &Path) -> Result<()> {
    let area = SVGBackend::new(file, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let fields = area.split_evenly((1, Operation::ALL.len()));
    let most = comparisons.iter().map(|line| line.workers).max().unwrap_or(1);
    let highest = comparisons.iter().map(Comparison::ratio).fold(1.1, f64::max) + 0.05;
    for (operation, field) in Operation::ALL.into_iter().zip(&fields) {
        let mut chart = ChartBuilder::on(field)
            .caption(format!("{operation}: ours / pgbench"), ("sans-serif", 20))
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(45)
            .build_cartesian_2d((1_u32..most).log_scale().base(2.0), 0.0..highest)?;
        chart.configure_mesh().x_desc("workers").light_line_style(TRANSPARENT).draw()?;
        chart.draw_series(LineSeries::new([(1, TARGET), (most, TARGET)], BLACK.mix(0.5)))?;
        let of_operation = comparisons.iter().filter(|line| line.operation == operation);
        let sizes: BTreeSet<_> = of_operation.clone().map(|line| line.per_call).collect();
        for (per_call, colour) in sizes.into_iter().zip(COLOURS.into_iter().cycle()) {
            let lines = of_operation.clone().filter(|line| line.per_call == per_call);
            let points: Vec<_> = lines.map(|line| (line.workers, line.ratio())).collect();
            chart
                .draw_series(LineSeries::new(points, colour.stroke_width(2)).point_size(3))?
                .label(format!("{per_call} per call"))
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerRight)
            .border_style(BLACK.mix(0.3))
            .background_style(WHITE)
            .draw()?;
    }
    area.present()?;
    Ok(())
}
