//! Embeddings near a given one among hundreds of thousands: cells around centres, of which a search visits the nearest few.
//!
//! A vector is kept as a signed byte a number with one scale, a quarter of its size: that moves distances between embeddings by less than one
//! thousandth of the distance at which two are one person. Approximate in another way too: who lies just beyond the cells visited is missed. `cargo bench --profile dev -p inframe --bench people` shows what a search costs
//! and how many it finds. A plain scan would cost more than all the rest of a new face at 300,000 faces, and a graph of neighbours (HNSW) would
//! not let go of what is taken out.

use std::collections::HashMap;

use crate::limits::{CELL_MOST, CELLS_VISITED};

/// Rounds in which a full cell's two halves settle; more move few vectors.
const SPLIT_ROUNDS: usize = 3;

/// Something near, by its key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Near {
    /// The key it was put in with.
    pub key: u32,
    /// Euclidean distance.
    pub distance: f32,
}

/// Sum of the products of two vectors of bytes. Two products of numbers within [`MOST`] fit 16 bits together, and all of them 32; wrapping says so to
/// the compiler, which uses vector registers only where it need not look for overflows.
fn products(a: &[i16], b: &[i8]) -> i32 {
    /// Sums side by side.
    const LANES: usize = 8;
    let whole = a.len().min(b.len()) / (2 * LANES) * (2 * LANES);
    let mut sums = [0i32; LANES];
    for (a, b) in a[..whole].chunks_exact(2 * LANES).zip(b[..whole].chunks_exact(2 * LANES)) {
        for lane in 0..LANES {
            let one = a[lane].wrapping_mul(i16::from(b[lane]));
            let other = a[lane + LANES].wrapping_mul(i16::from(b[lane + LANES]));
            sums[lane] = sums[lane].wrapping_add(i32::from(one.wrapping_add(other)));
        }
    }
    let rest: i32 = a[whole..].iter().zip(&b[whole..]).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum();
    sums.iter().sum::<i32>() + rest
}

/// Vectors of one length under keys; finds those near a given one.
#[derive(Debug)]
pub struct Neighbours {
    dimensions: usize,
    /// Centres of the cells, one behind the other, so that looking at all of them reads memory in order.
    centres: Vec<f32>,
    cells: Vec<Cell>,
    /// Cell of each key.
    cell_of: HashMap<u32, u32>,
}

#[derive(Debug, Default)]
struct Cell {
    keys: Vec<u32>,
    /// The vectors, one behind the other.
    numbers: Vec<i8>,
    /// Of each, what a step of its numbers is worth, and the sum of their squares.
    scales: Vec<(f32, i32)>,
    /// All its vectors are one point, so that it cannot be split; looked at again when it has doubled.
    stuck_at: usize,
}

impl Cell {
    fn push(&mut self, key: u32, numbers: &[i8], scale: (f32, i32)) {
        self.keys.push(key);
        self.numbers.extend_from_slice(numbers);
        self.scales.push(scale);
    }
}

/// The greatest number that a byte stands for.
const MOST: f32 = 127.0;

/// A vector as a signed byte a number, and what a step of these is worth. Moves embeddings by less than 0.5 % of their length.
#[must_use]
pub fn compact(vector: &[f32]) -> (Vec<i8>, f32) {
    let largest = vector.iter().fold(0f32, |largest, number| largest.max(number.abs()));
    // Of all zeros every scale is right.
    let scale = if largest > 0.0 { largest / MOST } else { 1.0 };
    let numbers = vector.iter().map(|number| (number / scale).round().clamp(-MOST, MOST) as i8).collect();
    (numbers, scale)
}

/// The vector that was made [`compact`].
#[must_use]
pub fn expand(numbers: &[i8], scale: f32) -> Vec<f32> {
    numbers.iter().map(|number| f32::from(*number) * scale).collect()
}

/// The same with the sum of the squares of the bytes.
fn with_squares(vector: &[f32]) -> (Vec<i8>, (f32, i32)) {
    let (numbers, scale) = compact(vector);
    let squares = numbers.iter().map(|number| i32::from(*number) * i32::from(*number)).sum();
    (numbers, (scale, squares))
}

/// A vector to be held against many.
struct Query {
    numbers: Vec<i16>,
    scale: (f32, i32),
}

impl Query {
    fn new(vector: &[f32]) -> Self {
        let (numbers, scale) = with_squares(vector);
        Self { numbers: numbers.into_iter().map(i16::from).collect(), scale }
    }

    /// Square of the distance to a vector in bytes.
    fn apart(&self, other: &[i8], scale: (f32, i32)) -> f32 {
        let both = products(&self.numbers, other);
        let (a, b) = (f64::from(self.scale.0), f64::from(scale.0));
        let squares = a * a * f64::from(self.scale.1) + b * b * f64::from(scale.1);
        (squares - 2.0 * a * b * f64::from(both)).max(0.0) as f32
    }
}

impl Neighbours {
    /// Empty, for vectors of `dimensions` numbers (at least one).
    #[must_use]
    pub fn new(dimensions: usize) -> Self {
        Self { dimensions: dimensions.max(1), centres: Vec::new(), cells: Vec::new(), cell_of: HashMap::new() }
    }

    /// The vector under a key, about as it was put in.
    #[must_use]
    pub fn get(&self, key: u32) -> Option<Vec<f32>> {
        let cell = self.cells.get(*self.cell_of.get(&key)? as usize)?;
        let row = cell.keys.iter().position(|one| *one == key)?;
        let numbers = cell.numbers.get(row * self.dimensions..(row + 1) * self.dimensions)?;
        Some(expand(numbers, cell.scales.get(row)?.0))
    }

    /// How many vectors it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cell_of.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cell_of.is_empty()
    }

    /// Puts a vector in, in the place of an earlier one with the same key. One of another length, or with a number that is none, is left out:
    /// nothing is near it.
    pub fn insert(&mut self, key: u32, vector: &[f32]) {
        self.remove(key);
        if vector.len() != self.dimensions || vector.iter().any(|number| !number.is_finite()) {
            return;
        }
        let at = self.nearest_cells(vector, 1).first().copied().unwrap_or_else(|| self.add_cell(vector));
        let (numbers, scale) = with_squares(vector);
        self.cells[at].push(key, &numbers, scale);
        self.cell_of.insert(key, at as u32);
        let cell = &self.cells[at];
        if cell.keys.len() > CELL_MOST.max(cell.stuck_at) {
            self.split(at);
        }
    }

    /// Takes a vector out, if it is there.
    pub fn remove(&mut self, key: u32) {
        let Some(at) = self.cell_of.remove(&key) else { return };
        let cell = &mut self.cells[at as usize];
        let Some(row) = cell.keys.iter().position(|one| *one == key) else { return };
        let (last, width) = (cell.keys.len() - 1, self.dimensions);
        cell.keys.swap_remove(row);
        cell.scales.swap_remove(row);
        cell.numbers.copy_within(last * width.., row * width);
        cell.numbers.truncate(last * width);
    }

    /// Those within `radius` of a vector, the nearest first, `most` at most.
    #[must_use]
    pub fn within(&self, vector: &[f32], radius: f32, most: usize) -> Vec<Near> {
        if vector.len() != self.dimensions {
            return Vec::new();
        }
        let mut near = Vec::new();
        let (limit, query) = (radius * radius, Query::new(vector));
        for at in self.nearest_cells(vector, CELLS_VISITED) {
            let cell = &self.cells[at];
            let rows = cell.numbers.chunks_exact(self.dimensions).zip(&cell.scales);
            for (key, (other, scale)) in cell.keys.iter().zip(rows) {
                let apart = query.apart(other, *scale);
                if apart <= limit {
                    near.push(Near { key: *key, distance: apart.sqrt() });
                }
            }
        }
        near.sort_unstable_by(|a, b| a.distance.total_cmp(&b.distance).then(a.key.cmp(&b.key)));
        near.truncate(most);
        near
    }

    /// Bytes of memory that the vectors and their keys take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let of = |cell: &Cell| 4 * cell.keys.capacity() + cell.numbers.capacity() + 8 * cell.scales.capacity();
        let cells: usize = self.cells.iter().map(of).sum();
        cells + 4 * self.centres.capacity() + 16 * self.cell_of.capacity()
    }

    fn add_cell(&mut self, centre: &[f32]) -> usize {
        self.centres.extend_from_slice(centre);
        self.cells.push(Cell::default());
        self.cells.len() - 1
    }

    /// The cells whose centres are nearest, nearest first.
    fn nearest_cells(&self, vector: &[f32], most: usize) -> Vec<usize> {
        let centres = self.centres.chunks_exact(self.dimensions);
        let mut by_distance: Vec<(f32, usize)> =
            centres.enumerate().map(|(at, centre)| (distance_squared(vector, centre), at)).collect();
        let nearer = |a: &(f32, usize), b: &(f32, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        if by_distance.len() > most {
            by_distance.select_nth_unstable_by(most, nearer);
            by_distance.truncate(most);
        }
        by_distance.sort_unstable_by(nearer);
        by_distance.into_iter().map(|(_, at)| at).collect()
    }

    /// Makes two cells of a full one: its vectors gather around the two that are far apart, then around the middle of each half.
    fn split(&mut self, at: usize) {
        let width = self.dimensions;
        let cell = std::mem::take(&mut self.cells[at]);
        let rows_of = || cell.numbers.chunks_exact(width).zip(&cell.scales);
        let expanded: Vec<Vec<f32>> = rows_of().map(|(numbers, scale)| expand(numbers, scale.0)).collect();
        let rows: Vec<&[f32]> = expanded.iter().map(Vec::as_slice).collect();
        let furthest = |from: &[f32]| {
            rows.iter().copied().max_by(|a, b| distance_squared(from, a).total_cmp(&distance_squared(from, b)))
        };
        let (Some(first), Some(second)) = (
            furthest(&self.centres[at * width..(at + 1) * width]),
            rows.first().and_then(|one| furthest(one).and_then(furthest)),
        ) else {
            return;
        };
        let mut middles = [first.to_vec(), second.to_vec()];
        let mut left: Vec<bool> = Vec::new();
        for _ in 0..SPLIT_ROUNDS {
            left = rows
                .iter()
                .map(|row| distance_squared(row, &middles[0]) <= distance_squared(row, &middles[1]))
                .collect();
            for (side, middle) in middles.iter_mut().enumerate() {
                let of_side = rows.iter().zip(&left).filter(|(_, left)| **left == (side == 0)).map(|(row, _)| *row);
                if let Some(mean) = mean(of_side, width) {
                    *middle = mean;
                }
            }
        }
        if left.iter().all(|left| *left) || !left.iter().any(|left| *left) {
            let stuck_at = 2 * cell.keys.len();
            self.cells[at] = Cell { stuck_at, ..cell };
            return;
        }
        self.centres[at * width..(at + 1) * width].copy_from_slice(&middles[0]);
        let other = self.add_cell(&middles[1]);
        for ((key, (numbers, scale)), left) in cell.keys.iter().zip(rows_of()).zip(left) {
            let to = if left { at } else { other };
            self.cells[to].push(*key, numbers, *scale);
            self.cell_of.insert(*key, to as u32);
        }
    }
}

/// The mean of vectors; none of none.
fn mean<'a>(vectors: impl Iterator<Item = &'a [f32]>, width: usize) -> Option<Vec<f32>> {
    let mut sum = vec![0f32; width];
    let mut count = 0f32;
    for vector in vectors {
        count += 1.0;
        sum.iter_mut().zip(vector).for_each(|(sum, number)| *sum += number);
    }
    (count > 0.0).then(|| sum.into_iter().map(|sum| sum / count).collect())
}

/// Square of the Euclidean distance; infinite when the lengths differ, since embeddings of different packs never compare.
#[must_use]
pub fn distance_squared(a: &[f32], b: &[f32]) -> f32 {
    /// Sums side by side, which lets the compiler use vector registers.
    const LANES: usize = 8;
    if a.len() != b.len() {
        return f32::INFINITY;
    }
    let (mut sums, whole) = ([0f32; LANES], a.len() - a.len() % LANES);
    for (a, b) in a[..whole].chunks_exact(LANES).zip(b[..whole].chunks_exact(LANES)) {
        for lane in 0..LANES {
            let apart = a[lane] - b[lane];
            sums[lane] += apart * apart;
        }
    }
    let rest: f32 = a[whole..].iter().zip(&b[whole..]).map(|(a, b)| (a - b) * (a - b)).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Points on a line, far more than one cell takes.
    fn line(count: u32) -> Neighbours {
        let mut known = Neighbours::new(2);
        (0..count).for_each(|key| known.insert(key, &[key as f32, 0.0]));
        known
    }

    #[test]
    fn the_nearest_come_first_and_no_more_than_asked_for() {
        let known = line(5000);
        assert_eq!(known.len(), 5000);
        assert!(known.cells.len() > 10, "{} cells", known.cells.len());
        let near = known.within(&[2500.2, 0.0], 2.0, 3);
        assert_eq!(near.iter().map(|near| near.key).collect::<Vec<_>>(), [2500, 2501, 2499]);
        assert!((near[0].distance - 0.2).abs() < 1e-3);
        assert!(known.within(&[-10.0, 0.0], 2.0, 3).is_empty());
    }

    #[test]
    fn what_was_taken_out_or_replaced_is_not_found_where_it_was() {
        let mut known = line(1000);
        known.remove(500);
        known.remove(500);
        known.insert(501, &[-50.0, 0.0]);
        assert_eq!(known.len(), 999);
        assert!(known.within(&[500.5, 0.0], 0.6, 9).is_empty());
        assert_eq!(known.within(&[-50.0, 0.0], 0.1, 9)[0].key, 501);
    }

    #[test]
    fn vectors_that_do_not_fit_are_near_nothing() {
        let mut known = Neighbours::new(2);
        known.insert(1, &[f32::NAN, 0.0]);
        known.insert(2, &[0.0]);
        assert!(known.is_empty() && known.within(&[0.0, 0.0], 9.0, 9).is_empty());
        known.insert(3, &[0.0, 0.0]);
        assert!(known.within(&[0.0], 9.0, 9).is_empty());
        assert_eq!(distance_squared(&[0.0], &[0.0, 1.0]), f32::INFINITY);
    }

    #[test]
    fn the_same_face_a_thousand_times_is_no_trouble() {
        let mut known = Neighbours::new(3);
        (0..2000).for_each(|key| known.insert(key, &[0.5, 0.25, 1.0]));
        assert_eq!((known.len(), known.cells.len()), (2000, 1));
        assert_eq!(known.within(&[0.5, 0.25, 1.0], 0.1, 5000).len(), 2000);
        known.insert(2000, &[0.9, 0.25, 1.0]);
        assert_eq!(known.within(&[0.9, 0.25, 1.0], 0.1, 9)[0].key, 2000);
    }

    #[test]
    fn bytes_move_a_distance_by_little() {
        // About as long as embeddings are, and in no order.
        let vector = |seed: u32| -> Vec<f32> {
            (0..128u32)
                .map(|at| (seed.wrapping_mul(97).wrapping_add(at * at * 31) % 251) as f32 / 1250.0 - 0.1)
                .collect()
        };
        let mut known = Neighbours::new(128);
        (0..200).for_each(|key| known.insert(key, &vector(key)));
        let query = vector(1000);
        let near = known.within(&query, 10.0, usize::MAX);
        assert_eq!(near.len(), 200);
        for Near { key, distance } in near {
            let exact = distance_squared(&query, &vector(key)).sqrt();
            assert!((distance - exact).abs() < 0.002 * exact.max(0.5), "{distance} instead of {exact}");
            let back = known.get(key).unwrap();
            assert!(distance_squared(&back, &vector(key)).sqrt() < 0.005);
        }
        assert_eq!(known.within(&vector(7), 0.01, 1)[0], Near { key: 7, distance: 0.0 });
        assert_eq!(known.get(200), None);
    }

    proptest! {
        /// As long as all cells are visited, the answer is that of a plain scan, whatever was put in and taken out.
        #[test]
        fn a_few_cells_answer_like_a_scan(steps in prop::collection::vec((0u32..400, any::<bool>(), -1f32..1.0, -1f32..1.0), 1..900)) {
            let mut known = Neighbours::new(2);
            let mut plain = std::collections::BTreeMap::new();
            for (key, add, x, y) in steps {
                if add {
                    known.insert(key, &[x, y]);
                    plain.insert(key, [x, y]);
                } else {
                    known.remove(key);
                    plain.remove(&key);
                }
            }
            prop_assert!(known.cells.len() <= CELLS_VISITED);
            // What a byte makes of two numbers of this size.
            const OFF: f32 = 0.02;
            let found: Vec<u32> = known.within(&[0.1, 0.2], 0.5, usize::MAX).iter().map(|near| near.key).collect();
            let within = |radius: f32| {
                let near = move |at: &[f32; 2]| distance_squared(&[0.1, 0.2], &at[..]).sqrt() <= radius;
                plain.iter().filter(move |(_, at)| near(at)).map(|(key, _)| *key).collect::<std::collections::BTreeSet<u32>>()
            };
            let (surely, perhaps) = (within(0.5 - OFF), within(0.5 + OFF));
            prop_assert!(found.iter().all(|key| perhaps.contains(key)));
            prop_assert!(surely.iter().all(|key| found.contains(key)));
        }
    }
}
