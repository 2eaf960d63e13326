//! Positions that are spread evenly.

/// Positions spread evenly over `count`, the first and the last among them, all where there are no more than `most`.
pub fn evenly(count: usize, most: usize) -> impl Iterator<Item = usize> {
    let taken = count.min(most);
    (0..taken).map(move |at| at * (count - 1) / (taken - 1).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_spread_from_end_to_end() {
        let rows: [(usize, usize, &[usize]); 4] =
            [(10, 4, &[0, 3, 6, 9]), (3, 5, &[0, 1, 2]), (1, 5, &[0]), (5, 1, &[0])];
        for (count, most, expected) in rows {
            assert_eq!(evenly(count, most).collect::<Vec<_>>(), expected, "{count}, {most}");
        }
    }
}
