//! Every order in which the steps of several sessions can happen.

/// More than this many orders of one script nobody waits for, or reads.
const MOST: usize = 1_000;

/// All interleavings of sessions with that many steps each, as the numbers of the sessions, in ascending order.
///
/// # Panics
///
/// If there are more than a test should run.
pub(crate) fn interleavings(steps: &[usize]) -> Vec<Vec<usize>> {
    let mut all = Vec::new();
    let mut left = steps.to_vec();
    extend(&mut Vec::new(), &mut left, &mut all);
    all
}

fn extend(begun: &mut Vec<usize>, left: &mut [usize], all: &mut Vec<Vec<usize>>) {
    if left.iter().all(|steps| *steps == 0) {
        assert!(all.len() < MOST, "more than {MOST} interleavings: list the ones that matter");
        all.push(begun.clone());
        return;
    }
    for session in 0..left.len() {
        if left[session] > 0 {
            left[session] -= 1;
            begun.push(session);
            extend(begun, left, all);
            begun.pop();
            left[session] += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::interleavings;

    #[test]
    fn each_session_keeps_its_own_order() {
        assert_eq!(interleavings(&[1, 1]), [[0, 1], [1, 0]]);
        assert_eq!(interleavings(&[2, 1]), [[0, 0, 1], [0, 1, 0], [1, 0, 0]]);
        assert_eq!(interleavings(&[3, 3]).len(), 20);
        assert_eq!(interleavings(&[2, 2, 2]).len(), 90);
    }

    #[test]
    #[should_panic(expected = "list the ones that matter")]
    fn too_many_are_refused() {
        interleavings(&[8, 8]);
    }
}
