//! The division of the keys to lock into chunks, one for each statement.

use crate::sql::Rank;

/// The largest number of keys in one statement. From a thousand on MariaDB turns a list into a subquery. The range optimizers of both
/// servers give up on a far longer list, and the server then reads, and locks, the whole table.
pub(super) const CHUNK: usize = 512;

/// The candidate rows of all parts, in the order in which they must be locked, in chunks.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Chunks(Vec<Vec<Place>>);

/// The place of a candidate row: the part, and the number of the row in the part.
pub(super) type Place = (usize, usize);

impl Chunks {
    /// Puts all candidate rows into one statement, which orders them by itself, if they are few enough. `counts` has the number of
    /// candidate rows of each part.
    pub(super) fn one(counts: &[usize], most: usize) -> Option<Self> {
        let all: Vec<Place> =
            counts.iter().enumerate().flat_map(|(part, count)| (0..*count).map(move |i| (part, i))).collect();
        (all.len() <= most).then(|| Chunks(if all.is_empty() { vec![] } else { vec![all] }))
    }

    /// Divides the candidate rows by their ranks, which are given part by part.
    pub(super) fn by_rank(ranks: Vec<Vec<Rank>>, most: usize) -> Self {
        let ranks = ranks.into_iter().enumerate();
        let mut all: Vec<(Rank, Place)> = ranks
            .flat_map(|(part, ranks)| ranks.into_iter().enumerate().map(move |(i, rank)| (rank, (part, i))))
            .collect();
        all.sort_unstable();
        let mut chunks: Vec<Vec<Place>> = Vec::new();
        let mut last: Option<Rank> = None;
        for (rank, place) in all {
            let same = last.as_ref() == Some(&rank);
            match chunks.last_mut() {
                // A key that occurs in two parts is locked by one statement.
                Some(chunk) if same || chunk.len() < most => chunk.push(place),
                _ => chunks.push(vec![place]),
            }
            last = Some(rank);
        }
        Chunks(chunks)
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Returns the candidate rows of one part in one chunk.
    pub(super) fn places(&self, chunk: usize, part: usize) -> Vec<usize> {
        self.0[chunk].iter().filter(|place| place.0 == part).map(|place| place.1).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_keys_are_one_statement_and_none_are_none() {
        assert_eq!(Chunks::one(&[2, 0, 1], CHUNK), Some(Chunks(vec![vec![(0, 0), (0, 1), (2, 0)]])));
        assert_eq!(Chunks::one(&[0], CHUNK).map(|chunks| chunks.count()), Some(0));
        assert_eq!(Chunks::one(&[CHUNK, 1], CHUNK), None);
    }

    #[test]
    fn chunks_ascend_over_all_parts_and_do_not_cut_through_a_key() {
        let ranks = |range: std::ops::Range<usize>| range.rev().map(|i| Rank::One(i as i128)).collect::<Vec<_>>();
        let chunks = Chunks::by_rank(vec![ranks(0..CHUNK), ranks(CHUNK - 1..CHUNK + 2)], CHUNK);
        assert_eq!(chunks.count(), 2);
        assert_eq!(chunks.places(0, 0).len(), CHUNK);
        assert_eq!((chunks.places(0, 1), chunks.places(1, 1)), (vec![2], vec![1, 0]));
    }
}
