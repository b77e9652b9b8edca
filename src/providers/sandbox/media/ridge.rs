//! Land: silhouettes one behind the other, paler with distance.

use super::colour::Colour;
use super::dice::Dice;
use super::frame::{HEIGHT, Plane};
use super::numbers::{floor, mix, place, smooth_step, whole};

/// Pixels after which a ridge repeats; more than a pan covers in a minute.
const RING: usize = 4_096;

/// What a ridge is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Pointed mountains.
    Peaks,
    /// Round hills.
    Hills,
    /// Long dunes with one steep side.
    Dunes,
    /// Hills under a forest of firs.
    Firs,
}

/// One silhouette.
pub struct Ridge {
    crest: Vec<f32>,
    top: Colour,
    foot: Colour,
    foot_row: f32,
    speed: f32,
}

/// Where a ridge stands and how it looks.
pub struct Stand {
    /// The row of its highest possible point.
    pub high: f32,
    /// The row of its lowest possible point.
    pub low: f32,
    /// Its colour along the crest.
    pub top: Colour,
    /// Its colour far below the crest, where mist lies.
    pub foot: Colour,
    /// How far it moves when the camera pans by one pixel.
    pub speed: f32,
}

impl Ridge {
    /// A ridge of some form.
    pub fn new(form: Form, stand: &Stand, dice: &mut Dice) -> Self {
        let crest = profile(form, dice).into_iter().map(|height| mix(stand.low, stand.high, height));
        Self {
            crest: crest.collect(),
            top: stand.top,
            foot: stand.foot,
            foot_row: stand.low + 70.0,
            speed: stand.speed,
        }
    }

    /// Paints the ridge down to the bottom of the frame, with the camera `pan` pixels along.
    pub fn paint(&self, plane: &mut Plane, pan: f32) {
        let step = place(plane.step);
        // Rows in 64ths: products with a difference of samples still fit 16 bits, which lets the inner loop run on
        // whole vectors.
        let edges: Vec<i16> = (0..plane.width)
            .map(|column| whole(self.crest_at(plane.centre(column) + pan * self.speed) / step * 64.0))
            .collect();
        let highest = edges.iter().min().copied().unwrap_or_default();
        let lowest = edges.iter().max().copied().unwrap_or_default();
        let start = usize::try_from(highest / 64).unwrap_or_default();
        let crest_row = f32::from(highest) / 64.0 * step;
        for row in start..plane.height {
            let depth = smooth_step(crest_row, self.foot_row.max(crest_row + 1.0), plane.centre(row));
            let value = self.top.mix(self.foot, depth).byte_on(plane.channel);
            let bottom = i16::try_from((row + 1) * 64).unwrap_or(i16::MAX);
            if bottom - 64 >= lowest {
                plane.row(row).fill(value);
            } else {
                cover(plane.row(row), &edges, bottom, value);
            }
        }
    }

    /// The crest's row at a column of the ring.
    fn crest_at(&self, column: f32) -> f32 {
        let at = column.rem_euclid(place(RING));
        let index = floor(at) % RING;
        mix(self.crest[index], self.crest[(index + 1) % RING], at.fract())
    }
}

/// Lays `value` over the part of each sample that is below its edge.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the mean of two bytes is one, and a checked conversion is slow"
)]
fn cover(row: &mut [u8], edges: &[i16], bottom: i16, value: u8) {
    let value = i16::from(value);
    for (sample, edge) in row.iter_mut().zip(edges) {
        let share = (bottom - edge).clamp(0, 64);
        let below = i16::from(*sample);
        *sample = (below + (((value - below) * share) >> 6)) as u8;
    }
}

/// Heights around the ring, between 0 and 1.
fn profile(form: Form, dice: &mut Dice) -> Vec<f32> {
    let mut octave = |waves: usize| dice.curve(waves, RING);
    match form {
        Form::Peaks => {
            let curves = [(octave(15), 0.52), (octave(34), 0.27), (octave(81), 0.13), (octave(190), 0.08)];
            (0..RING)
                .map(|at| curves.iter().map(|(curve, weight)| (1.0 - (2.0 * curve[at] - 1.0).abs()) * weight).sum())
                .collect()
        }
        Form::Hills => {
            let curves = [(octave(13), 0.66), (octave(31), 0.26), (octave(120), 0.08)];
            (0..RING).map(|at| curves.iter().map(|(curve, weight)| curve[at] * weight).sum()).collect()
        }
        Form::Dunes => {
            let (broad, shape) = (octave(9), octave(23));
            (0..RING).map(|at| 0.45 * broad[at] + 0.55 * (1.0 - (1.0 - shape[at]).sqrt()).powf(0.8)).collect()
        }
        Form::Firs => forest(octave(10), dice),
    }
}

/// Fir after fir on a gentle hill.
fn forest(hill: Vec<f32>, dice: &mut Dice) -> Vec<f32> {
    let mut heights: Vec<f32> = hill.into_iter().map(|height| height * 0.42).collect();
    let ground = heights.clone();
    let mut at = 0.0;
    while at < place(RING) {
        let tall = if dice.chance(0.3) { dice.between(0.34, 0.58) } else { dice.between(0.12, 0.34) };
        let spread = 5.0 + tall * 22.0;
        let root = ground[floor(at).min(RING - 1)];
        for offset in 0..=floor(spread * 2.0) {
            let away = (place(offset) - spread).abs() / spread;
            // Branches stand out in tiers: a fine saw-tooth over the cone.
            let cone = tall * (1.0 - away) * (0.86 + 0.14 * (away * 6.0).fract());
            let column = floor((at + place(offset) - spread).rem_euclid(place(RING))) % RING;
            heights[column] = heights[column].max(root + cone);
        }
        at += dice.between(5.0, 19.0);
    }
    heights
}

const _: () = assert!(HEIGHT * 64 < i16::MAX as usize);

#[cfg(test)]
mod tests {
    use super::super::frame::Frame;
    use super::*;

    fn ridge(form: Form) -> Ridge {
        let (top, foot) = (Colour::hex(0x10_2030), Colour::hex(0x40_5060));
        Ridge::new(form, &Stand { high: 100.0, low: 200.0, top, foot, speed: 1.0 }, &mut Dice::of("land"))
    }

    #[test]
    fn a_ridge_stands_between_its_rows_and_reaches_the_bottom() {
        for form in [Form::Peaks, Form::Hills, Form::Dunes, Form::Firs] {
            let mut frame = Frame::new();
            for plane in &mut frame.planes {
                plane.samples.fill(255);
                ridge(form).paint(plane, 0.0);
                let (above, below) = (98 / plane.step, 202 / plane.step);
                assert!(plane.row(above).iter().all(|sample| *sample == 255), "{form:?}");
                assert!((below..plane.height).all(|row| plane.row(row).iter().all(|sample| *sample < 255)), "{form:?}");
            }
        }
    }

    #[test]
    fn a_pan_moves_the_ridge_by_as_much() {
        let (mut before, mut after) = (Frame::new(), Frame::new());
        ridge(Form::Peaks).paint(&mut before.planes[0], 0.0);
        ridge(Form::Peaks).paint(&mut after.planes[0], 24.0);
        let edge =
            |plane: &Plane, column: usize| (0..plane.height).find(|row| plane.samples[row * plane.width + column] > 0);
        let moved = (0..600).filter(|column| edge(&before.planes[0], column + 24) == edge(&after.planes[0], *column));
        assert_eq!(moved.count(), 600);
    }
}
