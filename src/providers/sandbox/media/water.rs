//! A lake that mirrors what stands behind it.

use std::f32::consts::TAU;

use super::colour::Colour;
use super::frame::{Frame, HEIGHT, Plane};
use super::numbers::{byte, floor, mix, place, whole};

/// Steps of a full turn in the table of waves.
const STEPS: usize = 256;

/// Water from one row down to the bottom of the frame.
pub struct Water {
    shore: usize,
    tint: Colour,
    /// A sine in 1,024ths.
    sine: Vec<i32>,
}

/// A row of water and the moment.
struct Line {
    step: usize,
    depth: f32,
    seconds: f32,
    pan: f32,
}

impl Water {
    /// Water below the row `shore`, an even number, in which everything is tinted.
    pub fn new(shore: usize, tint: Colour) -> Self {
        let sine = |step| i32::from(whole((place(step) / place(STEPS) * TAU).sin() * 1_024.0));
        Self { shore, tint, sine: (0..STEPS).map(sine).collect() }
    }

    /// Mirrors the rows above the shore, `seconds` into the clip, with the camera `pan` pixels along.
    pub fn paint(&self, frame: &mut Frame, seconds: f32, pan: f32) {
        for plane in &mut frame.planes {
            let (step, width) = (plane.step, plane.width);
            let (mirrored, surface) = plane.samples.split_at_mut(self.shore / step * width);
            for (row, samples) in surface.chunks_exact_mut(width).enumerate() {
                let depth = place(row * step);
                self.ripple(samples, mirrored, &Line { step, depth, seconds, pan });
                let share = 0.16 + 0.5 * depth / place(HEIGHT - self.shore);
                tint(samples, self.tint.on(plane.channel), share);
            }
            self.glint(plane, seconds);
        }
    }

    /// One row of the mirror image. Waves grow and lengthen towards the viewer.
    fn ripple(&self, row: &mut [u8], mirrored: &[u8], line: &Line) {
        let width = row.len();
        let rows = mirrored.len() / width;
        let step = place(line.step);
        let near = 1.0 + line.depth / 16.0;
        let pace = 0.021 / near.sqrt();
        let phase = line.depth / near * 7.0 - line.seconds * 1.1;
        let along = line.pan * near * 0.2 * pace;
        let sway = self.sine_of(turns(phase * 1.7 + line.seconds * 0.23)) * (0.5 + near * 0.42);
        let sway = isize::from(whole(sway / step));
        // Whole numbers from here on: phases are 65,536ths of a turn, heights 65,536ths of a sample.
        let (mut swell, mut chop) = (turns(phase + along), turns(phase * 0.7 - along * 2.3 + line.seconds * 0.4));
        let (swell_pace, chop_pace) = (turns(pace * step), turns(-2.3 * pace * step));
        let height = i32::from(whole((0.4 + near * 0.55) / step * 64.0));
        let base = i32::from(whole(line.depth / step * 64.0)) << 10;
        let last = i32::try_from(rows).unwrap_or(i32::MAX) - 1;
        for (column, sample) in row.iter_mut().enumerate() {
            let lift = self.wave(swell) + self.wave(chop) * 5 / 8;
            let up = ((base + lift * height) >> 16).clamp(0, last);
            let source = rows - 1 - usize::try_from(up).unwrap_or_default();
            *sample = mirrored[source * width + column.saturating_add_signed(sway).min(width - 1)];
            swell = swell.wrapping_add(swell_pace);
            chop = chop.wrapping_add(chop_pace);
        }
    }

    /// A line of light where the water meets the land; it breathes.
    fn glint(&self, plane: &mut Plane, seconds: f32) {
        let light = if plane.channel == 0 { mix(self.tint.on(0), 200.0, 0.5) } else { self.tint.on(plane.channel) };
        let breath = 0.2 + 0.06 * self.sine_of(turns(seconds * 0.2));
        tint(plane.row(self.shore / plane.step), light, breath);
    }

    /// The sine, in 1,024ths, of a phase.
    fn wave(&self, phase: u16) -> i32 {
        self.sine[usize::from(phase >> 8)]
    }

    fn sine_of(&self, phase: u16) -> f32 {
        f32::from(i16::try_from(self.wave(phase)).unwrap_or_default()) / 1_024.0
    }
}

/// A phase in turns as 65,536ths of one turn.
fn turns(phase: f32) -> u16 {
    u16::try_from(floor(phase.rem_euclid(1.0) * 65_536.0)).unwrap_or_default()
}

/// Mixes a value into a row.
fn tint(row: &mut [u8], value: f32, share: f32) {
    let (value, share) = (u16::from(byte(value)), u16::from(byte(share * 255.0)));
    for sample in row {
        let [mixed, _] = (u16::from(*sample) * (256 - share) + value * share).to_be_bytes();
        *sample = mixed;
    }
}
