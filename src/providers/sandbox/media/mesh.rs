//! The geometry of a relief: a height map over a flat back, closed all around.

use super::numbers::real;
use super::picture::Picture;
use super::surface::{Surface, Vector};

/// Cells along the longer side at most; with these, vertices fit indices of 16 bits.
const MAX_CELLS: u32 = 128;
/// Height of the brightest part over the darkest, as a share of the face's mean side.
const RELIEF: f32 = 0.14;
/// Thickness of the body under the darkest part, as a share of the face's mean side.
const BODY: f32 = 0.05;

/// A body whose face is the picture and whose height is the picture's brightness.
pub struct Relief {
    /// The height map.
    pub face: Surface,
    /// Sides and back.
    pub body: Surface,
}

impl Relief {
    /// Raises the relief of a picture. It lies around the origin and faces +Z; its longer side measures one metre.
    pub fn of(picture: &Picture) -> Self {
        let grid = Grid::over(picture);
        Self { face: grid.face(), body: grid.body() }
    }
}

/// Heights over a lattice of corners.
struct Grid {
    columns: u16,
    rows: u16,
    width: f32,
    height: f32,
    depth: f32,
    heights: Vec<f32>,
}

impl Grid {
    fn over(picture: &Picture) -> Self {
        let (width, height) = picture.size();
        let longest = width.max(height);
        let cells = longest.min(MAX_CELLS);
        let along = |side: u32| (side * cells).div_ceil(longest);
        let (columns, rows) = (along(width), along(height));
        let brightness = picture.brightness(columns, rows);
        let (width, height) = (real(u64::from(width)), real(u64::from(height)));
        let (width, height) = (width / width.max(height), height / width.max(height));
        let side = (width * height).sqrt();
        let mut grid = Self {
            columns: u16::try_from(columns).unwrap_or(1),
            rows: u16::try_from(rows).unwrap_or(1),
            width,
            height,
            depth: BODY * side,
            heights: Vec::new(),
        };
        grid.heights = grid.corners().map(|corner| grid.mean_around(corner, &brightness) * RELIEF * side).collect();
        grid
    }

    /// Columns and rows of all corners, from the upper left, row by row.
    fn corners(&self) -> impl Iterator<Item = (u16, u16)> + use<> {
        let columns = self.columns;
        (0..=self.rows).flat_map(move |row| (0..=columns).map(move |column| (column, row)))
    }

    /// The mean of the up to four cells that meet in a corner.
    fn mean_around(&self, (column, row): (u16, u16), cells: &[f32]) -> f32 {
        let near = |at: u16, count: u16| [at.saturating_sub(1), at.min(count - 1)];
        let mut sum = 0.0;
        for row in near(row, self.rows) {
            for column in near(column, self.columns) {
                let cell = usize::from(row) * usize::from(self.columns) + usize::from(column);
                sum += cells.get(cell).copied().unwrap_or_default();
            }
        }
        sum / 4.0
    }

    fn index(&self, column: u16, row: u16) -> u16 {
        row * (self.columns + 1) + column
    }

    fn corner_height(&self, column: u16, row: u16) -> f32 {
        self.heights.get(usize::from(self.index(column, row))).copied().unwrap_or_default()
    }

    /// The corner at height `z`; rows run downwards in the picture and upwards in space.
    fn position(&self, column: u16, row: u16, z: f32) -> Vector {
        [
            (f32::from(column) / f32::from(self.columns) - 0.5) * self.width,
            (0.5 - f32::from(row) / f32::from(self.rows)) * self.height,
            z,
        ]
    }

    fn face(&self) -> Surface {
        let mut face = Surface::default();
        for (column, row) in self.corners() {
            face.positions.push(self.position(column, row, self.corner_height(column, row)));
            face.normals.push(self.normal(column, row));
            face.texture.push([f32::from(column) / f32::from(self.columns), f32::from(row) / f32::from(self.rows)]);
        }
        for row in 0..self.rows {
            for column in 0..self.columns {
                let (left, right) = (self.index(column, row), self.index(column + 1, row));
                let (below_left, below_right) = (self.index(column, row + 1), self.index(column + 1, row + 1));
                face.indices.extend([left, below_left, right, right, below_left, below_right]);
            }
        }
        face
    }

    /// What the height map faces at a corner, from the slopes to its neighbours.
    fn normal(&self, column: u16, row: u16) -> Vector {
        let (left, right) = (column.saturating_sub(1), (column + 1).min(self.columns));
        let (above, below) = (row.saturating_sub(1), (row + 1).min(self.rows));
        let run = f32::from(right - left) / f32::from(self.columns) * self.width;
        let rise = f32::from(below - above) / f32::from(self.rows) * self.height;
        let slope_x = (self.corner_height(right, row) - self.corner_height(left, row)) / run;
        let slope_y = (self.corner_height(column, above) - self.corner_height(column, below)) / rise;
        let length = (slope_x * slope_x + slope_y * slope_y + 1.0).sqrt();
        [-slope_x / length, -slope_y / length, 1.0 / length]
    }

    /// Four walls that follow the face's rim, and a back of triangles around its centre, so that every edge is shared.
    fn body(&self) -> Surface {
        let mut body = Surface::default();
        for (normal, rim) in self.rims() {
            for pair in rim.windows(2) {
                let [from, to] = [pair[0], pair[1]];
                let high = |(column, row)| self.position(column, row, self.corner_height(column, row));
                let low = |(column, row)| self.position(column, row, -self.depth);
                body.quad([low(from), low(to), high(to), high(from)], normal);
                body.triangle([low(to), low(from), [0.0, 0.0, -self.depth]], [0.0, 0.0, -1.0]);
            }
        }
        body
    }

    /// The four sides of the rim, counter-clockwise as seen from the front, each with what its wall faces.
    fn rims(&self) -> [(Vector, Vec<(u16, u16)>); 4] {
        let (columns, rows) = (self.columns, self.rows);
        [
            ([0.0, -1.0, 0.0], (0..=columns).map(|column| (column, rows)).collect()),
            ([1.0, 0.0, 0.0], (0..=rows).rev().map(|row| (columns, row)).collect()),
            ([0.0, 1.0, 0.0], (0..=columns).rev().map(|column| (column, 0)).collect()),
            ([-1.0, 0.0, 0.0], (0..=rows).map(|row| (0, row)).collect()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::io::Cursor;

    use image::{ImageFormat, Luma};

    use super::*;

    /// A relief of a picture whose right part is bright.
    fn relief(width: u32, height: u32) -> Relief {
        let picture =
            image::GrayImage::from_fn(width, height, |x, y| Luma([if x > width / 2 { 240 } else { (y % 7) as u8 }]));
        let mut file = Cursor::new(Vec::new());
        picture.write_to(&mut file, ImageFormat::Png).unwrap();
        Relief::of(&Picture::decode(file.get_ref()).unwrap())
    }

    fn triangles(relief: &Relief) -> Vec<[Vector; 3]> {
        let of = |surface: &Surface| {
            let corners = |triangle: &[u16]| [0, 1, 2].map(|corner| surface.positions[usize::from(triangle[corner])]);
            surface.indices.chunks_exact(3).map(corners).collect::<Vec<_>>()
        };
        [of(&relief.face), of(&relief.body)].concat()
    }

    #[test]
    fn the_body_is_closed_and_no_triangle_is_turned_inside_out() {
        for (width, height) in [(1, 1), (2, 1), (300, 200), (3_000, 2), (1, 500)] {
            let mut edges: HashMap<[[u32; 3]; 2], i32> = HashMap::new();
            for triangle in triangles(&relief(width, height)) {
                let corners = triangle.map(|position| position.map(f32::to_bits));
                for (from, to) in [(0, 1), (1, 2), (2, 0)] {
                    *edges.entry([corners[from], corners[to]]).or_default() += 1;
                }
            }
            for ([from, to], count) in &edges {
                assert_eq!((*count, edges.get(&[*to, *from])), (1, Some(&1)), "{width} x {height}");
            }
        }
    }

    #[test]
    fn its_volume_is_positive_and_its_normals_agree_with_its_triangles() {
        let relief = relief(300, 200);
        let volume: f32 = triangles(&relief).iter().map(|[a, b, c]| dot(*a, cross(*b, *c)) / 6.0).sum();
        assert!(volume > 0.0);
        for surface in [&relief.face, &relief.body] {
            for triangle in surface.indices.chunks_exact(3) {
                let [a, b, c] = [0, 1, 2].map(|corner| surface.positions[usize::from(triangle[corner])]);
                let normal = surface.normals[usize::from(triangle[0])];
                assert!(dot(cross(minus(b, a), minus(c, a)), normal) > 0.0);
                assert!((dot(normal, normal) - 1.0).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn bright_is_high_and_the_shape_is_the_picture_s() {
        let relief = relief(300, 200);
        let (min, max) = relief.face.bounds();
        assert!((max[0] - min[0] - 1.0).abs() < 1e-6);
        assert!((max[1] - min[1] - 2.0 / 3.0).abs() < 1e-6);
        let height = |right: bool| {
            let side =
                relief.face.positions.iter().filter(|position| (position[0] > 0.1) == right && position[0].abs() > 0.1);
            side.map(|position| position[2]).fold(f32::MIN, f32::max)
        };
        assert!(height(true) > height(false) * 5.0);
        assert_eq!(relief.face.positions.len(), 129 * 87);
    }

    fn minus(a: Vector, b: Vector) -> Vector {
        [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
    }

    fn cross(a: Vector, b: Vector) -> Vector {
        [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
    }

    fn dot(a: Vector, b: Vector) -> f32 {
        a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
    }
}
