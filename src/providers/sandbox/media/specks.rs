//! What floats through the air, each on a path of its own.

use std::f32::consts::TAU;

use super::colour::Colour;
use super::dice::Dice;
use super::frame::{Frame, HEIGHT, WIDTH};
use super::numbers::{mix, place};
use super::palette::{Air, Palette};

/// Pixels outside of the frame in which specks turn up and vanish unseen.
const MARGIN: f32 = 24.0;

/// A number of specks of one kind.
pub struct Specks {
    kind: Air,
    light: Colour,
    dark: Colour,
    all: Vec<Speck>,
}

struct Speck {
    x: f32,
    y: f32,
    near: f32,
    phase: f32,
}

impl Specks {
    /// Specks that suit a palette.
    pub fn thrown(palette: &Palette, dice: &mut Dice) -> Self {
        let kind = *dice.pick(&palette.air);
        let count = match kind {
            Air::Snow => 150,
            Air::Fireflies => 34,
            Air::Lanterns => 16,
            Air::Birds => 9,
        };
        let speck =
            |dice: &mut Dice| Speck { x: dice.unit(), y: dice.unit(), near: dice.unit(), phase: dice.unit() * TAU };
        Self { kind, light: palette.orb, dark: palette.near, all: (0..count).map(|_| speck(dice)).collect() }
    }

    /// Paints the specks, `seconds` into the clip, with the camera `pan` pixels along.
    pub fn paint(&self, frame: &mut Frame, seconds: f32, pan: f32) {
        for speck in &self.all {
            match self.kind {
                Air::Snow => self.flake(frame, speck, seconds, pan),
                Air::Fireflies => firefly(frame, speck, seconds, pan),
                Air::Lanterns => lantern(frame, speck, seconds, pan),
                Air::Birds => self.bird(frame, speck, seconds, pan),
            }
        }
    }

    fn flake(&self, frame: &mut Frame, speck: &Speck, seconds: f32, pan: f32) {
        let sway = 9.0 * (seconds * 0.9 + speck.phase).sin();
        let x = around(speck.x, -seconds * 8.0 + sway - pan * (0.3 + speck.near), WIDTH);
        let y = around(speck.y, seconds * mix(20.0, 52.0, speck.near), HEIGHT);
        frame.dot((x, y), mix(1.1, 2.7, speck.near * speck.near), self.light, mix(0.4, 0.9, speck.near));
    }

    /// Two wings that beat.
    fn bird(&self, frame: &mut Frame, speck: &Speck, seconds: f32, pan: f32) {
        let size = mix(3.5, 8.0, speck.near);
        let x = around(speck.x * 0.5, seconds * mix(16.0, 30.0, speck.near) - pan * 0.2, WIDTH);
        let y = 50.0 + speck.y * 100.0 + 4.0 * (seconds * 0.7 + speck.phase).sin();
        let beat = (seconds * 7.0 + speck.phase * 3.0).sin() * 0.55;
        for joint in 0..=8_u8 {
            let out = f32::from(joint) / 4.0 - 1.0;
            let bend = out.abs();
            let lift = (bend * (1.0 - bend) * 1.6 + bend * beat) * size;
            frame.dot((x + out * size, y - lift), mix(1.6, 1.1, bend), self.dark, 0.85);
        }
    }
}

fn firefly(frame: &mut Frame, speck: &Speck, seconds: f32, pan: f32) {
    let (wander, rise) = ((seconds * 0.6 + speck.phase).sin(), (seconds * 0.83 + speck.phase * 2.0).sin());
    let x = around(speck.x, wander * 22.0 - pan * (0.5 + speck.near * 0.7), WIDTH);
    let y = mix(205.0, 335.0, speck.y) + rise * 12.0;
    let light = (0.5 + 0.5 * (seconds * 1.9 + speck.phase * 3.0).sin()).powi(2);
    frame.dot((x, y), mix(6.0, 11.0, speck.near), Colour::hex(0xd8_f060), 0.32 * light);
    frame.dot((x, y), mix(1.5, 2.3, speck.near), Colour::hex(0xfb_ffd0), light);
}

fn lantern(frame: &mut Frame, speck: &Speck, seconds: f32, pan: f32) {
    let near = speck.near * speck.near;
    let x =
        around(speck.x, 8.0 * (seconds * 0.4 + speck.phase).sin() + seconds * 3.0 - pan * mix(0.15, 0.7, near), WIDTH);
    let y = around(speck.y, -seconds * mix(5.0, 15.0, near), 300);
    let flicker = 0.9 + 0.1 * (seconds * 9.0 + speck.phase * 5.0).sin();
    let size = mix(2.2, 6.5, near);
    frame.dot((x, y), size * 4.6, Colour::hex(0xff_9a3c), 0.3 * flicker);
    frame.dot((x, y - size * 0.35), size, Colour::hex(0xff_b45a), 0.95);
    frame.dot((x, y + size * 0.35), size * 0.9, Colour::hex(0xff_e2a0), flicker);
}

/// A place that leaves the frame on one side and comes back on the other.
fn around(start: f32, moved: f32, length: usize) -> f32 {
    let span = place(length) + 2.0 * MARGIN;
    (start * span + moved).rem_euclid(span) - MARGIN
}
