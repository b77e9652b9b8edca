//! Corners and triangles.

/// A vector in metres or, for normals, of length one.
pub type Vector = [f32; 3];

/// One part of the body with a material of its own.
#[derive(Default)]
pub struct Surface {
    /// Corners, in metres.
    pub positions: Vec<Vector>,
    /// What each corner faces.
    pub normals: Vec<Vector>,
    /// Where each corner lies in the texture, from its upper left; empty for a part without texture.
    pub texture: Vec<[f32; 2]>,
    /// Triangles, counter-clockwise as seen from outside.
    pub indices: Vec<u16>,
}

impl Surface {
    /// Adds four corners, counter-clockwise as seen from outside, as two triangles.
    pub fn quad(&mut self, [a, b, c, d]: [Vector; 4], normal: Vector) {
        let corners = [a, b, c, d].map(|position| self.corner(position, normal));
        self.indices.extend([corners[0], corners[1], corners[2], corners[0], corners[2], corners[3]]);
    }

    /// Adds three corners, counter-clockwise as seen from outside.
    pub fn triangle(&mut self, corners: [Vector; 3], normal: Vector) {
        let corners = corners.map(|position| self.corner(position, normal));
        self.indices.extend(corners);
    }

    /// The lowest and the highest coordinate of each axis.
    pub fn bounds(&self) -> (Vector, Vector) {
        let mut bounds = ([f32::MAX; 3], [f32::MIN; 3]);
        for position in &self.positions {
            for (axis, value) in position.iter().enumerate() {
                bounds.0[axis] = bounds.0[axis].min(*value);
                bounds.1[axis] = bounds.1[axis].max(*value);
            }
        }
        bounds
    }

    /// Adds a corner. A body has at most 4 × 128 × 7 of them, so that its index fits 16 bits.
    fn corner(&mut self, position: Vector, normal: Vector) -> u16 {
        let index = u16::try_from(self.positions.len()).unwrap_or(u16::MAX);
        self.positions.push(position);
        self.normals.push(normal);
        index
    }
}
