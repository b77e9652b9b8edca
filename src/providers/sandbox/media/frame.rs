//! One picture of the video in planar YUV 4:2:0, and the two ways of painting on it.

use openh264::formats::YUVSource;

use super::colour::Colour;
use super::numbers::{byte, floor, place};

/// Width of the video in pixels.
pub const WIDTH: usize = 640;
/// Height of the video in pixels.
pub const HEIGHT: usize = 360;

/// One channel of a frame. Painters speak in pixels of the frame and leave it to the plane how many of them a sample
/// stands for, so that brightness and colour need no code of their own.
#[derive(Clone)]
pub struct Plane {
    /// Which channel: 0 brightness, 1 and 2 the colour differences.
    pub channel: usize,
    /// Pixels that a sample spans in each direction: 1 or 2.
    pub step: usize,
    /// Samples a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Samples, row by row.
    pub samples: Vec<u8>,
}

/// A frame of 640 by 360 pixels.
#[derive(Clone)]
pub struct Frame {
    /// Brightness and the two colour differences.
    pub planes: [Plane; 3],
}

impl Plane {
    fn new(channel: usize, step: usize) -> Self {
        let (width, height) = (WIDTH / step, HEIGHT / step);
        Self { channel, step, width, height, samples: vec![0; width * height] }
    }

    /// The centre, in pixels, of the sample at `index` in its row or column.
    pub fn centre(&self, index: usize) -> f32 {
        (place(index) + 0.5) * place(self.step)
    }

    /// One row of samples.
    pub fn row(&mut self, row: usize) -> &mut [u8] {
        &mut self.samples[row * self.width..(row + 1) * self.width]
    }

    /// Paints a soft round dot. Its position and radius are in pixels and need not be whole; parts outside are cut.
    pub fn dot(&mut self, (x, y): (f32, f32), radius: f32, colour: Colour, opacity: f32) {
        let (step, value) = (place(self.step), colour.on(self.channel));
        let reach = |centre: f32, count: usize| {
            let from = floor((centre - radius) / step).min(count);
            from..(floor((centre + radius) / step) + 1).min(count).max(from)
        };
        if x + radius < 0.0 || y + radius < 0.0 {
            return;
        }
        for row in reach(y, self.height) {
            let down = (self.centre(row) - y) / radius;
            for column in reach(x, self.width) {
                let across = (self.centre(column) - x) / radius;
                let inside = (1.0 - down * down - across * across).max(0.0);
                let cover = inside * inside * opacity;
                let sample = &mut self.samples[row * self.width + column];
                *sample = byte(f32::from(*sample) * (1.0 - cover) + value * cover);
            }
        }
    }
}

impl Frame {
    /// A frame whose content is yet to be painted.
    pub fn new() -> Self {
        Self { planes: [Plane::new(0, 1), Plane::new(1, 2), Plane::new(2, 2)] }
    }

    /// Paints a soft round dot on all planes.
    pub fn dot(&mut self, centre: (f32, f32), radius: f32, colour: Colour, opacity: f32) {
        for plane in &mut self.planes {
            plane.dot(centre, radius, colour, opacity);
        }
    }
}

impl YUVSource for Frame {
    fn dimensions(&self) -> (usize, usize) {
        (WIDTH, HEIGHT)
    }

    fn strides(&self) -> (usize, usize, usize) {
        (self.planes[0].width, self.planes[1].width, self.planes[2].width)
    }

    fn y(&self) -> &[u8] {
        &self.planes[0].samples
    }

    fn u(&self) -> &[u8] {
        &self.planes[1].samples
    }

    fn v(&self) -> &[u8] {
        &self.planes[2].samples
    }
}
