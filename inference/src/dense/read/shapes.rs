//! Shapes of the arrays that names stand for, and what rearranges them. The rows' axis has any size in a graph; here one cell
//! stands for a column of all rows, so that axis has size 1 and its place is remembered.

/// No array has more cells: a small file must not become a large net.
pub(super) const MOST_CELLS: usize = 1 << 24;

/// Sizes of all axes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    pub dims: Vec<usize>,
    /// The rows' axis, if it has one.
    pub rows: Option<usize>,
    /// Whether the graph sees the axis before the rows' and the rows' as one: PyTorch lays all tokens of all rows side by side.
    pub lead: bool,
    /// Whether it sees the axis after the rows' and the rows' as one, as in attention by several heads.
    pub trail: bool,
}

/// A size in a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    Of(i64),
    /// So many times the number of rows.
    Rows(i64),
}

/// A new shape, and for each of its cells the old one.
#[derive(Debug)]
pub(super) struct Arranged {
    pub shape: Shape,
    pub from: Vec<usize>,
}

impl Shape {
    pub fn plain(dims: &[usize]) -> Self {
        Self { dims: dims.to_vec(), rows: None, lead: false, trail: false }
    }

    /// Of columns: rows first.
    pub fn of_rows(dims: &[usize]) -> Self {
        Self { dims: [&[1], dims].concat(), rows: Some(0), lead: false, trail: false }
    }

    /// Number of cells, if there are any and not too many.
    pub fn count(&self) -> Option<usize> {
        let count = self.dims.iter().try_fold(1usize, |count, dim| count.checked_mul(*dim));
        count.filter(|count| (1..=MOST_CELLS).contains(count))
    }

    /// Whether the graph sees the rows' axis and others as one.
    pub fn is_merged(&self) -> bool {
        self.lead || self.trail
    }

    /// The place among `dims` of an axis as the graph counts it, from the end where it is negative.
    pub fn axis(&self, axis: i64) -> Option<usize> {
        let rank = self.rank() as i64;
        let axis = usize::try_from(if axis < 0 { axis.checked_add(rank)? } else { axis }).ok()?;
        (axis < rank as usize).then(|| self.inner(axis))
    }

    /// The same, where it is not the rows'.
    pub fn column_axis(&self, axis: i64) -> Option<usize> {
        self.axis(axis).filter(|axis| self.rows != Some(*axis))
    }

    fn rank(&self) -> usize {
        self.dims.len() - usize::from(self.lead) - usize::from(self.trail)
    }

    fn inner(&self, axis: usize) -> usize {
        let (lead, trail) = (usize::from(self.lead), usize::from(self.trail));
        match self.rows.map(|rows| rows - lead) {
            Some(rows) if axis > rows => axis + lead + trail,
            Some(rows) if axis == rows => axis + lead,
            _ => axis,
        }
    }

    /// As the graph sees them.
    pub fn sizes(&self) -> Vec<Size> {
        let size = |axis: usize| match self.rows {
            Some(rows) if rows == self.inner(axis) => Size::Rows(self.times() as i64),
            _ => Size::Of(self.dims[self.inner(axis)] as i64),
        };
        (0..self.rank()).map(size).collect()
    }

    /// How many times the number of rows the graph sees along their axis.
    fn times(&self) -> usize {
        let rows = self.rows.unwrap_or_default();
        let lead = if self.lead { self.dims[rows - 1] } else { 1 };
        lead * if self.trail { self.dims[rows + 1] } else { 1 }
    }

    /// With axes in another order, as the graph counts them.
    pub fn transposed(&self, order: &[i64]) -> Option<Arranged> {
        let mut inner = Vec::with_capacity(self.dims.len());
        for axis in order {
            let axis = self.axis(*axis)?;
            let is_rows = self.rows == Some(axis);
            inner.extend((is_rows && self.lead).then(|| axis - 1));
            inner.push(axis);
            inner.extend((is_rows && self.trail).then_some(axis + 1));
        }
        let mut sorted = inner.clone();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..self.dims.len()) {
            return None;
        }
        let steps = self.steps();
        let dims: Vec<usize> = inner.iter().map(|axis| self.dims[*axis]).collect();
        let from = walk(&dims, &inner.iter().map(|axis| steps[*axis]).collect::<Vec<_>>())?;
        let rows = self.rows.and_then(|rows| inner.iter().position(|axis| *axis == rows));
        Some(Arranged { shape: Self { dims, rows, ..*self }, from })
    }

    /// With these sizes: −1 is what is left, 0 the size that was there.
    pub fn reshaped(&self, sizes: &[Size]) -> Option<Arranged> {
        let known = self.sizes();
        let copied =
            |(at, size): (usize, &Size)| if *size == Size::Of(0) { known.get(at).copied() } else { Some(*size) };
        let sizes = sizes.iter().enumerate().map(copied).collect::<Option<Vec<_>>>()?;
        let count = self.count()?;
        let open = sizes.iter().position(|size| *size == Size::Of(-1));
        let stated = sizes.iter().position(|size| matches!(size, Size::Rows(_)));
        let rows = match (self.rows, stated) {
            (None, None) => None,
            (None, Some(_)) => return None,
            (Some(_), Some(at)) => Some(at),
            (Some(_), None) => Some(open?),
        };
        let mut dims = Vec::with_capacity(sizes.len());
        for (at, size) in sizes.iter().enumerate() {
            dims.push(match size {
                _ if rows == Some(at) || open == Some(at) => 1,
                Size::Of(size) => usize::try_from(*size).ok()?,
                Size::Rows(_) => return None,
            });
        }
        let product = |dims: &[usize]| dims.iter().try_fold(1usize, |count, dim| count.checked_mul(*dim));
        let Some(place) = rows else {
            if let Some(open) = open {
                dims[open] = count.checked_div(product(&dims)?)?;
            }
            let shape = Self::plain(&dims);
            return (shape.count()? == count).then(|| Arranged { shape, from: (0..count).collect() });
        };
        let own = self.rows?;
        let [before, after] = [product(&self.dims[..own])?, product(&self.dims[own + 1..])?];
        let [mut first, mut last] = [product(&dims[..place])?, product(&dims[place + 1..])?];
        if let Some(open) = open.filter(|open| *open != place) {
            let times = match sizes[place] {
                Size::Rows(times) => usize::try_from(times).ok()?,
                Size::Of(_) => return None,
            };
            let left = before.checked_mul(after)?.checked_div(first.checked_mul(last)?.checked_mul(times)?)?;
            dims[open] = left;
            let side = if open < place { &mut first } else { &mut last };
            *side = side.checked_mul(left)?;
        }
        let [lead, trail] = [before.checked_div(first)?, after.checked_div(last)?];
        let times = match sizes[place] {
            Size::Rows(times) => usize::try_from(times).ok()?,
            Size::Of(_) => lead.checked_mul(trail)?,
        };
        if lead.checked_mul(first)? != before || trail.checked_mul(last)? != after || lead.checked_mul(trail)? != times
        {
            return None;
        }
        let mut rows = place;
        if trail != 1 {
            dims.insert(place + 1, trail);
        }
        if lead != 1 {
            dims.insert(place, lead);
            rows += 1;
        }
        let shape = Self { dims, rows: Some(rows), lead: lead != 1, trail: trail != 1 };
        Some(Arranged { shape, from: (0..count).collect() })
    }

    /// With axes of size 1 put in, at places as the graph counts them afterwards.
    pub fn unsqueezed(&self, axes: &[i64]) -> Option<Arranged> {
        let rank = (self.rank() + axes.len()) as i64;
        let at = |axis: &i64| if *axis < 0 { axis.checked_add(rank) } else { Some(*axis) };
        let mut places = axes.iter().map(at).collect::<Option<Vec<_>>>()?;
        places.sort_unstable();
        let mut sizes = self.sizes();
        for place in places {
            let place = usize::try_from(place).ok().filter(|place| *place <= sizes.len())?;
            sizes.insert(place, Size::Of(1));
        }
        self.reshaped(&sizes)
    }

    /// Without these axes of size 1; without all of them where none is named.
    pub fn squeezed(&self, axes: Option<&[i64]>) -> Option<Arranged> {
        let sizes = self.sizes();
        let gone: Vec<usize> = match axes {
            Some(axes) => axes
                .iter()
                .map(|axis| usize::try_from(if *axis < 0 { axis + sizes.len() as i64 } else { *axis }).ok())
                .collect::<Option<_>>()?,
            None => (0..sizes.len()).filter(|axis| sizes[*axis] == Size::Of(1)).collect(),
        };
        if gone.iter().any(|axis| sizes.get(*axis) != Some(&Size::Of(1))) {
            return None;
        }
        let kept: Vec<Size> =
            sizes.into_iter().enumerate().filter(|(axis, _)| !gone.contains(axis)).map(|(_, size)| size).collect();
        self.reshaped(&kept)
    }

    /// The cells at these places of an axis of `dims`, in an array of places of their own shape.
    pub fn picked(&self, axis: usize, places: &[usize], dims: &[usize]) -> Option<Arranged> {
        if self.rows == Some(axis) || self.is_merged() || places.iter().any(|place| *place >= self.dims[axis]) {
            return None;
        }
        let after: usize = self.dims[axis + 1..].iter().product();
        let before: usize = self.dims[..axis].iter().product();
        let shape = Self {
            dims: [&self.dims[..axis], dims, &self.dims[axis + 1..]].concat(),
            rows: self.rows.map(|rows| if rows > axis { rows + dims.len() - 1 } else { rows }),
            ..*self
        };
        let mut from = Vec::with_capacity(shape.count()?);
        for outer in 0..before {
            for place in places {
                let first = (outer * self.dims[axis] + place) * after;
                from.extend(first..first + after);
            }
        }
        Some(Arranged { shape, from })
    }

    /// Repeated to a shape that it goes into, by the rules of broadcasting.
    pub fn spread(&self, to: &Self) -> Option<Arranged> {
        let missing = to.dims.len().checked_sub(self.dims.len())?;
        let own = self.steps();
        let mut steps = vec![0; missing];
        for (axis, (from, into)) in self.dims.iter().zip(&to.dims[missing..]).enumerate() {
            steps.push(match (from == into, *from) {
                (true, _) => own[axis],
                (false, 1) => 0,
                (false, _) => return None,
            });
        }
        Some(Arranged { shape: to.clone(), from: walk(&to.dims, &steps)? })
    }

    /// The shape that two of them meet in, by the rules of broadcasting. The rows' axes must be one.
    pub fn common(&self, other: &Self) -> Option<Self> {
        if self.is_merged() || other.is_merged() {
            let (wide, one) = if self.is_merged() { (self, other) } else { (other, self) };
            let fits = wide == one || one.rows.is_none() && one.dims.iter().all(|dim| *dim == 1);
            return fits.then(|| wide.clone());
        }
        let rank = self.dims.len().max(other.dims.len());
        let rows = |shape: &Self| shape.rows.map(|rows| rows + rank - shape.dims.len());
        let rows = match (rows(self), rows(other)) {
            (Some(one), Some(another)) if one != another => return None,
            (one, another) => one.or(another),
        };
        let mut dims = Vec::with_capacity(rank);
        for at in 0..rank {
            let dim = |shape: &Self| (at + shape.dims.len()).checked_sub(rank).map_or(1, |at| shape.dims[at]);
            dims.push(match (dim(self), dim(other)) {
                // A constant with several numbers along the rows is of a fixed number of rows.
                (one, another) if rows == Some(at) && (one, another) != (1, 1) => return None,
                (one, another) if one == another || another == 1 => one,
                (1, another) => another,
                _ => return None,
            });
        }
        Some(Self { dims, rows, lead: false, trail: false })
    }

    /// How far apart neighbours along each axis are.
    fn steps(&self) -> Vec<usize> {
        let mut steps = vec![1; self.dims.len()];
        for axis in (1..self.dims.len()).rev() {
            steps[axis - 1] = steps[axis] * self.dims[axis];
        }
        steps
    }
}

/// For each cell of an array in its order, the place that these steps along its axes lead to.
fn walk(dims: &[usize], steps: &[usize]) -> Option<Vec<usize>> {
    let count = Shape::plain(dims).count()?;
    let mut places = Vec::with_capacity(count);
    places.push(0);
    for (dim, step) in dims.iter().zip(steps) {
        let outer = std::mem::take(&mut places);
        places = outer.into_iter().flat_map(|place| (0..*dim).map(move |at| place + at * step)).collect();
    }
    Some(places)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use Size::{Of, Rows};

    fn shape(dims: &[usize], rows: Option<usize>, trail: bool) -> Shape {
        Shape { dims: dims.to_vec(), rows, lead: false, trail }
    }

    #[test]
    fn an_array_is_turned() {
        let found = Shape::plain(&[2, 3]).transposed(&[1, 0]).unwrap();
        assert_eq!((found.shape.dims, found.from), (vec![3, 2], vec![0, 3, 1, 4, 2, 5]));
        let months = Shape::of_rows(&[12, 3]).transposed(&[1, 0, 2]).unwrap();
        assert_eq!(months.shape, shape(&[12, 1, 3], Some(1), false));
        assert!(Shape::plain(&[2, 3]).transposed(&[0, 0]).is_none());
    }

    #[test]
    fn rows_stay_an_axis_of_their_own_or_nothing_is_said() {
        let months = Shape::of_rows(&[12, 4]);
        let rows: [(&[Size], Option<Shape>); 11] = [
            (&[Of(-1), Of(48)], Some(Shape::of_rows(&[48]))),
            (&[Rows(1), Of(-1)], Some(Shape::of_rows(&[48]))),
            (&[Of(0), Of(-1)], Some(Shape::of_rows(&[48]))),
            (&[Of(0), Of(0), Of(2), Of(2)], Some(Shape::of_rows(&[12, 2, 2]))),
            (&[Of(1), Of(-1), Of(48)], Some(shape(&[1, 1, 48], Some(1), false))),
            (&[Rows(12), Of(4)], Some(shape(&[1, 12, 4], Some(0), true))),
            (&[Of(-1), Of(4)], Some(shape(&[1, 12, 4], Some(0), true))),
            (&[Rows(12), Of(-1)], Some(shape(&[1, 12, 4], Some(0), true))),
            (&[Of(12), Of(-1), Of(4)], None),
            (&[Of(100), Of(48)], None),
            (&[Of(-1), Of(5)], None),
        ];
        for (sizes, expected) in rows {
            assert_eq!(months.reshaped(sizes).map(|found| found.shape), expected, "{sizes:?}");
        }
        let merged = shape(&[16, 1, 2, 8], Some(1), true);
        assert_eq!(merged.sizes(), [Of(16), Rows(2), Of(8)]);
        let turned = merged.transposed(&[1, 0, 2]).unwrap().shape;
        assert_eq!(turned, shape(&[1, 2, 16, 8], Some(0), true));
        let heads = turned.reshaped(&[Rows(1), Of(2), Of(16), Of(8)]).unwrap().shape;
        assert_eq!(heads, Shape::of_rows(&[2, 16, 8]));
        let tokens = shape(&[17, 1, 16], Some(1), false);
        let side_by_side = tokens.reshaped(&[Of(-1), Of(16)]).unwrap().shape;
        assert_eq!((side_by_side.dims.clone(), side_by_side.sizes()), (vec![17, 1, 16], vec![Rows(17), Of(16)]));
        assert_eq!(side_by_side.axis(1), Some(2));
        assert_eq!(side_by_side.reshaped(&[Of(17), Of(-1), Of(16)]).unwrap().shape, tokens);
        let deep = shape(&[1, 3, 1], Some(0), false);
        assert_eq!(deep.squeezed(Some(&[-1])).unwrap().shape, Shape::of_rows(&[3]));
        assert_eq!(Shape::of_rows(&[3]).unsqueezed(&[2]).unwrap().shape, deep);
    }

    #[test]
    fn shapes_meet_from_the_right_and_rows_meet_rows() {
        let rows: [(Shape, Shape, Option<Shape>); 6] = [
            (Shape::of_rows(&[3]), Shape::plain(&[3]), Some(Shape::of_rows(&[3]))),
            (Shape::of_rows(&[3]), Shape::plain(&[1, 3]), Some(Shape::of_rows(&[3]))),
            (Shape::of_rows(&[3]), Shape::plain(&[2, 3]), None),
            (Shape::of_rows(&[]), Shape::of_rows(&[1]), None),
            (Shape::of_rows(&[4, 1]), Shape::of_rows(&[4, 3]), Some(Shape::of_rows(&[4, 3]))),
            (Shape::of_rows(&[4]), Shape::plain(&[3]), None),
        ];
        for (one, another, expected) in rows {
            assert_eq!(one.common(&another), expected, "{one:?} {another:?}");
        }
        let spread = Shape::plain(&[2, 1]).spread(&Shape::plain(&[2, 2, 3])).unwrap().from;
        assert_eq!(spread, [0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1]);
    }

    #[test]
    fn cells_are_picked_along_an_axis() {
        let found = Shape::of_rows(&[2, 3]).picked(2, &[2, 0], &[2]).unwrap();
        assert_eq!((found.shape, found.from), (Shape::of_rows(&[2, 2]), vec![2, 0, 5, 3]));
        let one = shape(&[3, 1, 2], Some(1), false).picked(0, &[1], &[]).unwrap();
        assert_eq!((one.shape, one.from), (Shape::of_rows(&[2]), vec![2, 3]));
        assert!(Shape::of_rows(&[2]).picked(0, &[0], &[1]).is_none());
    }
}
