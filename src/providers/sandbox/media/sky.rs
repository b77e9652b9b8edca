//! What is above the horizon: light, sun or moon, stars, northern lights, clouds.

use std::f32::consts::TAU;

use super::colour::Colour;
use super::dice::Dice;
use super::frame::{Frame, HEIGHT, Plane, WIDTH};
use super::numbers::{byte, floor, mix, place, smooth_step, whole};
use super::palette::{Heaven, Palette};

/// Pixels after which clouds and northern lights repeat.
const RING: usize = 2_048;
/// Rows that the northern lights hang down.
const CURTAIN: usize = 150;
/// Rows by which the northern lights sway.
const SWAY: usize = 40;

/// The sky over a scene.
pub struct Sky {
    backdrop: Frame,
    stars: Vec<Star>,
    curtains: Option<Curtains>,
    clouds: Clouds,
}

struct Star {
    x: f32,
    y: f32,
    radius: f32,
    light: f32,
    phase: f32,
}

/// Northern lights: how bright each column of a ring is, twice, so that the two drift against each other.
struct Curtains {
    colour: Colour,
    folds: [Vec<f32>; 2],
    /// Opacity, in 256ths, of each row of a curtain, with room above and below for its sway.
    fall: Vec<i16>,
}

struct Clouds {
    colour: Colour,
    top: usize,
    rows: Vec<Vec<u8>>,
}

impl Sky {
    /// The sky of a palette, above the row `horizon`.
    pub fn new(palette: &Palette, horizon: f32, dice: &mut Dice) -> Self {
        let orb = (dice.between(0.2, 0.8) * place(WIDTH), dice.between(0.25, 0.62) * horizon);
        let radius = dice.between(17.0, 30.0);
        let mut backdrop = gradient(palette, horizon);
        glow(&mut backdrop, orb, radius, palette);
        let starry = palette.heaven != Heaven::Clouds;
        let stars = if starry { 190 } else { 0 };
        Self {
            backdrop,
            stars: (0..stars).map(|_| Star::thrown(horizon, dice)).collect(),
            curtains: (palette.heaven == Heaven::Aurora).then(|| Curtains::new(palette.glow, dice)),
            clouds: Clouds::new(palette, horizon, starry, dice),
        }
    }

    /// Paints the whole frame anew, `seconds` into the clip, with the camera `pan` pixels along at the horizon.
    pub fn paint(&self, frame: &mut Frame, seconds: f32, pan: f32) {
        for (plane, backdrop) in frame.planes.iter_mut().zip(&self.backdrop.planes) {
            plane.samples.copy_from_slice(&backdrop.samples);
        }
        for star in &self.stars {
            star.paint(frame, seconds, pan);
        }
        for plane in &mut frame.planes {
            if let Some(curtains) = &self.curtains {
                curtains.paint(plane, seconds, pan);
            }
            self.clouds.paint(plane, seconds, pan);
        }
    }
}

/// The sky's light. A little dither hides the steps between its shades.
fn gradient(palette: &Palette, horizon: f32) -> Frame {
    let mut frame = Frame::new();
    for plane in &mut frame.planes {
        for row in 0..plane.height {
            let at = (plane.centre(row) / horizon).min(1.0) * 3.0;
            let band = floor(at).min(2);
            let colour = palette.sky[band].mix(palette.sky[band + 1], at - place(band)).on(plane.channel);
            for (column, sample) in plane.row(row).iter_mut().enumerate() {
                *sample = byte(colour + [-0.3, 0.2, 0.3, -0.2][(column + 2 * row) % 4]);
            }
        }
    }
    frame
}

/// The sun or the moon with the light around it.
fn glow(frame: &mut Frame, centre: (f32, f32), radius: f32, palette: &Palette) {
    for plane in &mut frame.planes {
        for row in 0..plane.height {
            let down = plane.centre(row) - centre.1;
            for column in 0..plane.width {
                let distance = (plane.centre(column) - centre.0).hypot(down);
                let halo = 0.62 * (-distance / (radius * 2.6)).exp() + 0.16 * (-distance / 210.0).exp();
                let disc = smooth_step(radius + 0.9, radius - 0.9, distance);
                let index = row * plane.width + column;
                let lit = mix(f32::from(plane.samples[index]), palette.glow.on(plane.channel), halo);
                plane.samples[index] = byte(mix(lit, palette.orb.on(plane.channel), disc));
            }
        }
    }
}

impl Star {
    fn thrown(horizon: f32, dice: &mut Dice) -> Self {
        let light = dice.unit().powi(3);
        Self {
            x: dice.unit() * place(WIDTH),
            y: dice.unit() * horizon * 0.82,
            radius: 1.0 + light * 1.1,
            light: 0.25 + 0.75 * light,
            phase: dice.unit() * TAU,
        }
    }

    fn paint(&self, frame: &mut Frame, seconds: f32, pan: f32) {
        let twinkle = 0.72 + 0.28 * (seconds * (1.0 + self.phase) + self.phase * 7.0).sin();
        let x = (self.x - pan * 0.03).rem_euclid(place(WIDTH));
        frame.dot((x, self.y), self.radius, Colour::hex(0xf4_f7ff), self.light * twinkle);
    }
}

impl Curtains {
    fn new(colour: Colour, dice: &mut Dice) -> Self {
        let fold = |dice: &mut Dice| {
            let (broad, fine) = (dice.curve(9, RING), dice.curve(58, RING));
            broad.iter().zip(fine).map(|(broad, fine)| smooth_step(0.35, 0.95, *broad) * (0.45 + 0.55 * fine)).collect()
        };
        let fall = |row| {
            let at = place(row) / place(CURTAIN);
            whole(smooth_step(1.0, 0.55, at) * smooth_step(0.0, 0.5, at).powi(2) * 165.0)
        };
        let gap = || std::iter::repeat_n(0, SWAY);
        let fall = gap().chain((0..CURTAIN).map(fall)).chain(gap());
        Self { colour, folds: [fold(dice), fold(dice)], fall: fall.collect() }
    }

    fn paint(&self, plane: &mut Plane, seconds: f32, pan: f32) {
        let drifts = [seconds * 14.0 + pan * 0.06, 700.0 - seconds * 9.0 + pan * 0.06];
        let lights: Vec<(i16, usize)> = (0..plane.width)
            .map(|column| {
                let x = plane.centre(column);
                let light = self.folds.iter().zip(drifts).map(|(fold, drift)| along(fold, x + drift)).sum::<f32>();
                let sway = 12.0 * (x / 120.0 + seconds * 0.5).sin() + 6.0 * (x / 47.0 - seconds * 0.8).sin();
                (whole(light.min(1.0) * 128.0), floor(20.0 - sway))
            })
            .collect();
        let (value, step) = (self.colour.byte_on(plane.channel), plane.step);
        for row in 0..(CURTAIN + SWAY) / step {
            for (sample, (light, lift)) in plane.row(row).iter_mut().zip(&lights) {
                *sample = blend(*sample, value, light * self.fall[row * step + lift] / 128);
            }
        }
    }
}

impl Clouds {
    fn new(palette: &Palette, horizon: f32, thin: bool, dice: &mut Dice) -> Self {
        let (low, most) = if thin { (0.62, 0.4) } else { (0.52, 0.72) };
        let height = floor(horizon * 0.75);
        let tiers: Vec<Vec<f32>> = (0..9).map(|_| wisps(dice)).collect();
        let row = |row: usize| {
            let at = place(row) / place(height);
            let tier = at * 8.0;
            let (upper, share) = (floor(tier).min(7), tier.fract());
            let edge = smooth_step(0.0, 0.3, at) * smooth_step(1.0, 0.6, at);
            let wisp = |column: usize| {
                mix(tiers[upper][column], tiers[upper + 1][column], share * share * (3.0 - 2.0 * share))
            };
            // A frame's width more than the ring, so that painting never wraps.
            (0..=RING + WIDTH)
                .map(|column| column % RING)
                .map(|column| byte(smooth_step(low, 0.95, wisp(column)) * edge * most * 255.0))
                .collect()
        };
        Self {
            colour: palette.glow.mix(palette.orb, 0.5),
            top: floor(horizon * 0.12),
            rows: (0..height).map(row).collect(),
        }
    }

    fn paint(&self, plane: &mut Plane, seconds: f32, pan: f32) {
        let (value, step) = (self.colour.byte_on(plane.channel), plane.step);
        for (line, wisps) in self.rows.iter().enumerate().step_by(step) {
            // Lower clouds are farther away and drift less.
            let near = 1.0 - 0.6 * place(line) / place(self.rows.len());
            let drift = (seconds * 11.0 * near + pan * 0.12 * near).rem_euclid(place(RING));
            let (shift, share) = (floor(drift), whole(drift.fract() * 128.0));
            let pairs = wisps[shift..].windows(2).step_by(step);
            for (sample, pair) in plane.row((self.top + line) / step).iter_mut().zip(pairs) {
                let (here, next) = (i16::from(pair[0]), i16::from(pair[1]));
                *sample = blend(*sample, value, here + (next - here) * share / 128);
            }
        }
    }
}

/// One streak of cloud around the ring.
fn wisps(dice: &mut Dice) -> Vec<f32> {
    let curves = [(11, 0.55), (29, 0.28), (75, 0.17)].map(|(waves, weight)| (dice.curve(waves, RING), weight));
    (0..RING).map(|column| curves.iter().map(|(curve, weight)| curve[column] * weight).sum::<f32>() * 1.25).collect()
}

/// The value of a ring between two of its points.
fn along(ring: &[f32], at: f32) -> f32 {
    let at = at.rem_euclid(place(ring.len()));
    let index = floor(at) % ring.len();
    mix(ring[index], ring[(index + 1) % ring.len()], at.fract())
}

/// 256ths of a value over a sample.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the mean of two bytes is one, and a checked conversion is slow"
)]
fn blend(sample: u8, value: u8, share: i16) -> u8 {
    let (sample, value) = (i32::from(sample), i32::from(value));
    (sample + (value - sample) * i32::from(share) / 256) as u8
}

const _: () = assert!(CURTAIN + SWAY < HEIGHT);
