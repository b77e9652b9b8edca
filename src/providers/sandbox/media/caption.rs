//! The writing over the scene: the prompt, and the mark that says where the film comes from.

use super::colour::Colour;
use super::frame::{Frame, HEIGHT, WIDTH};
use super::glyphs::{self, CELL_HEIGHT, CELL_WIDTH, Glyph};
use super::numbers::{byte, floor, place, smooth_step};
use super::typeset;

/// What tells a sandbox film from a model's.
const MARK: &str = "satforge sandbox";
/// Pixels between the writing and the frame's edge.
const MARGIN: f32 = 28.0;
const WHITE: Colour = Colour::hex(0xff_ffff);
const BLACK: Colour = Colour::hex(0x00_0000);

/// Writing that is laid out once and painted over every frame: how much of the frame stays, and what is added to it.
pub struct Caption {
    layers: [Layer; 3],
}

struct Layer {
    keep: Vec<u8>,
    add: Vec<u8>,
}

impl Caption {
    /// The caption of a prompt.
    pub fn of(prompt: &str) -> Self {
        let (scale, lines) = typeset::fitted(&glyphs::plain(prompt), place(WIDTH) - 2.0 * MARGIN);
        let pitch = place(CELL_HEIGHT) * scale * 1.1;
        let top = place(HEIGHT) - MARGIN * 0.75 - pitch * place(lines.len());
        let mut sheet = Sheet::new();
        sheet.shade(top - 46.0);
        for (index, line) in lines.iter().enumerate() {
            sheet.write(line, (MARGIN, top + pitch * place(index)), scale, 1.0);
        }
        let mark_scale = 0.75;
        let width = place(MARK.len() * CELL_WIDTH) * mark_scale;
        sheet.write(MARK, (place(WIDTH) - 16.0 - width, 12.0), mark_scale, 0.78);
        sheet.into_caption()
    }

    /// Paints the caption over a frame.
    pub fn paint(&self, frame: &mut Frame) {
        for (plane, layer) in frame.planes.iter_mut().zip(&self.layers) {
            for ((sample, keep), add) in plane.samples.iter_mut().zip(&layer.keep).zip(&layer.add) {
                let [kept, _] = (u16::from(*sample) * (u16::from(*keep) + 1)).to_be_bytes();
                *sample = kept.saturating_add(*add);
            }
        }
    }
}

/// The caption in full resolution while it is laid out.
struct Sheet {
    keep: Vec<f32>,
    add: Vec<[f32; 3]>,
}

impl Sheet {
    fn new() -> Self {
        Self { keep: vec![1.0; WIDTH * HEIGHT], add: vec![[0.0; 3]; WIDTH * HEIGHT] }
    }

    /// Darkens the frame towards its foot, from the row `top` on, so that white letters stand out on snow too.
    fn shade(&mut self, top: f32) {
        for row in 0..HEIGHT {
            let opacity = 0.62 * smooth_step(top, top + 70.0, place(row));
            for column in 0..WIDTH {
                self.cover(column, row, BLACK, opacity);
            }
        }
    }

    /// Writes white letters with a soft shadow from the upper left corner `(x, y)` on.
    fn write(&mut self, line: &str, (x, y): (f32, f32), scale: f32, opacity: f32) {
        for (shadow, colour, spread, offset) in [(0.75, BLACK, 1.6, 1.0), (1.0, WHITE, 0.0, 0.0)] {
            for (index, letter) in line.chars().enumerate().filter(|(_, letter)| *letter != ' ') {
                let left = x + place(index * CELL_WIDTH) * scale;
                self.letter(
                    &Glyph::of(letter),
                    (left + offset, y + offset),
                    scale,
                    &Pen { colour, opacity: opacity * shadow, spread },
                );
            }
        }
    }

    fn letter(&mut self, glyph: &Glyph, (left, top): (f32, f32), scale: f32, pen: &Pen) {
        let (width, height) = (place(CELL_WIDTH) * scale + 4.0, place(CELL_HEIGHT) * scale + 4.0);
        let rows = floor(top - 2.0)..floor(top + height).min(HEIGHT);
        for row in rows {
            for column in floor(left - 2.0)..floor(left + width).min(WIDTH) {
                let at = ((place(column) + 0.5 - left) / scale, (place(row) + 0.5 - top) / scale);
                self.cover(column, row, pen.colour, pen.ink(glyph, at, scale) * pen.opacity);
            }
        }
    }

    fn cover(&mut self, column: usize, row: usize, colour: Colour, opacity: f32) {
        let index = row * WIDTH + column;
        self.keep[index] *= 1.0 - opacity;
        for (channel, add) in self.add[index].iter_mut().enumerate() {
            *add = *add * (1.0 - opacity) + colour.on(channel) * opacity;
        }
    }

    fn into_caption(self) -> Caption {
        Caption { layers: [self.layer(0, 1), self.layer(1, 2), self.layer(2, 2)] }
    }

    /// The means over squares of `step` pixels.
    fn layer(&self, channel: usize, step: usize) -> Layer {
        let mut layer = Layer { keep: Vec::new(), add: Vec::new() };
        for row in (0..HEIGHT).step_by(step) {
            for column in (0..WIDTH).step_by(step) {
                let (mut keep, mut add) = (0.0, 0.0);
                for index in
                    (row..row + step).flat_map(|row| (column..column + step).map(move |column| row * WIDTH + column))
                {
                    keep += self.keep[index];
                    add += self.add[index][channel];
                }
                let count = place(step * step);
                layer.keep.push(byte(keep / count * 255.0));
                layer.add.push(byte(add / count));
            }
        }
        layer
    }
}

/// How a letter is drawn.
struct Pen {
    colour: Colour,
    opacity: f32,
    /// Pixels by which the ink runs, for shadows.
    spread: f32,
}

impl Pen {
    fn ink(&self, glyph: &Glyph, (x, y): (f32, f32), scale: f32) -> f32 {
        if self.spread == 0.0 {
            return smooth_step(0.25, 0.75, glyph.ink(x, y));
        }
        let run = self.spread / scale;
        let offsets = [(0.0, 0.0), (run, 0.0), (-run, 0.0), (0.0, run), (0.0, -run)];
        let inks = offsets.map(|(dx, dy)| glyph.ink(x + dx, y + dy));
        (inks.iter().sum::<f32>() / 3.0).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many pixels of a grey frame, in some rows, a caption turns bright.
    fn bright(prompt: &str, rows: std::ops::Range<usize>) -> usize {
        let mut frame = Frame::new();
        for plane in &mut frame.planes {
            plane.samples.fill(128);
        }
        Caption::of(prompt).paint(&mut frame);
        rows.map(|row| frame.planes[0].row(row).iter().filter(|sample| **sample > 170).count()).sum()
    }

    #[test]
    fn a_prompt_is_written_at_the_foot_and_the_mark_at_the_top() {
        let (foot, top) = (HEIGHT / 2..HEIGHT, 0..40);
        assert_eq!(bright("", foot.clone()), 0);
        assert!(bright("a lighthouse at dusk", foot) > 800);
        assert!(bright("", top.clone()) > 150);
        assert_eq!(bright("", top.clone()), bright("a lighthouse at dusk", top));
    }

    #[test]
    fn any_text_can_be_written() {
        for text in
            ["\0", "\u{202e}", "👩‍🚀🏽 on 火星", "अ", "ﷺ", "\u{10ffff}", &"\u{300}".repeat(2_000), &"漢".repeat(2_000)]
        {
            let caption = Caption::of(text);
            assert!(caption.layers[0].keep.iter().any(|keep| *keep < 255));
        }
    }
}
