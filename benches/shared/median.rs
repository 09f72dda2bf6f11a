//! The median.

pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        len if len % 2 == 1 => values[len / 2],
        len => f64::midpoint(values[len / 2 - 1], values[len / 2]),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_median_of_rates_is_the_middle_one_or_between_both() {
        assert_eq!(super::median([4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(super::median([4.0, 1.0, 3.0]), 3.0);
        assert!(super::median([]).is_nan());
    }
}
