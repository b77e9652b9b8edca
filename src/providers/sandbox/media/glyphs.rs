//! Letters: which of them can be drawn, and their pixels.

use embedded_graphics::geometry::{OriginDimensions, Point};
use embedded_graphics::image::GetPixel;
use embedded_graphics::mono_font::mapping::{GlyphMapping, StrGlyphMapping};
use embedded_graphics::mono_font::{self as font, MonoFont, mapping};
use embedded_graphics::pixelcolor::BinaryColor;

use super::numbers::{floor, mix};

/// Width of a letter's cell in font pixels.
pub const CELL_WIDTH: usize = 10;
/// Height of a letter's cell in font pixels.
pub const CELL_HEIGHT: usize = 20;

/// The alphabets drawn: Latin with its neighbours, Cyrillic, Greek, and Katakana of half width.
const ALPHABETS: [(StrGlyphMapping<'static>, MonoFont<'static>); 13] = [
    (mapping::ISO_8859_1, font::iso_8859_1::FONT_10X20),
    (mapping::ISO_8859_2, font::iso_8859_2::FONT_10X20),
    (mapping::ISO_8859_3, font::iso_8859_3::FONT_10X20),
    (mapping::ISO_8859_4, font::iso_8859_4::FONT_10X20),
    (mapping::ISO_8859_5, font::iso_8859_5::FONT_10X20),
    (mapping::ISO_8859_7, font::iso_8859_7::FONT_10X20),
    (mapping::ISO_8859_9, font::iso_8859_9::FONT_10X20),
    (mapping::ISO_8859_10, font::iso_8859_10::FONT_10X20),
    (mapping::ISO_8859_13, font::iso_8859_13::FONT_10X20),
    (mapping::ISO_8859_14, font::iso_8859_14::FONT_10X20),
    (mapping::ISO_8859_15, font::iso_8859_15::FONT_10X20),
    (mapping::ISO_8859_16, font::iso_8859_16::FONT_10X20),
    (mapping::JIS_X0201, font::jis_x0201::FONT_10X20),
];

/// Half-width forms of the Katakana from U+30A1 to U+30F6; Hiragana, 0x60 below, reads the same.
const KATAKANA: &str = "ｧ ｱ ｨ ｲ ｩ ｳ ｪ ｴ ｫ ｵ ｶ ｶﾞ ｷ ｷﾞ ｸ ｸﾞ ｹ ｹﾞ ｺ ｺﾞ ｻ ｻﾞ ｼ ｼﾞ ｽ ｽﾞ ｾ ｾﾞ ｿ ｿﾞ ﾀ ﾀﾞ ﾁ ﾁﾞ ｯ ﾂ ﾂﾞ ﾃ ﾃﾞ ﾄ ﾄﾞ ﾅ ﾆ ﾇ ﾈ ﾉ \
    ﾊ ﾊﾞ ﾊﾟ ﾋ ﾋﾞ ﾋﾟ ﾌ ﾌﾞ ﾌﾟ ﾍ ﾍﾞ ﾍﾟ ﾎ ﾎﾞ ﾎﾟ ﾏ ﾐ ﾑ ﾒ ﾓ ｬ ﾔ ｭ ﾕ ｮ ﾖ ﾗ ﾘ ﾙ ﾚ ﾛ ﾜ ﾜ ｲ ｴ ｦ ﾝ ｳﾞ ｶ ｹ";

/// Rewrites a text in letters that have a cell each: typographic signs become plain ones, marks without a width of
/// their own vanish, and all white space is one space.
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\u{2018}'..='\u{201b}' | '\u{2032}' => plain.push('\''),
            '\u{201c}'..='\u{201f}' | '\u{2033}' => plain.push('"'),
            '\u{2010}'..='\u{2015}' | '\u{2212}' => plain.push('-'),
            '\u{2022}' | '\u{30fb}' => plain.push('\u{b7}'),
            '\u{2026}' => plain.push_str("..."),
            '\u{3001}' => plain.push('､'),
            '\u{3002}' => plain.push('｡'),
            '\u{30fc}' => plain.push('ｰ'),
            '\u{ff01}'..='\u{ff5e}' => plain.extend(char::from_u32(u32::from(letter) - 0xfee0)),
            '\u{3041}'..='\u{3096}' => push_kana(&mut plain, letter, 0x3041),
            '\u{30a1}'..='\u{30f6}' => push_kana(&mut plain, letter, 0x30a1),
            _ if letter.is_whitespace() || letter == '\u{a0}' => plain.push(' '),
            _ if !without_width(letter) => plain.push(letter),
            _ => {}
        }
    }
    plain
}

/// The pixels of one letter.
pub struct Glyph([[bool; CELL_WIDTH]; CELL_HEIGHT]);

impl Glyph {
    /// A letter's glyph; a letter of no alphabet is a box.
    pub fn of(letter: char) -> Self {
        let mut rows = [[false; CELL_WIDTH]; CELL_HEIGHT];
        let found = ALPHABETS.iter().find(|(mapping, _)| mapping.contains(letter));
        for (y, row) in rows.iter_mut().enumerate() {
            for (x, pixel) in row.iter_mut().enumerate() {
                *pixel =
                    found.map_or_else(|| tofu(x, y), |(mapping, font)| pixel_of(font, mapping.index(letter), x, y));
            }
        }
        Self(rows)
    }

    /// How much ink is at a point of the cell given in font pixels, from 0 to 1.
    ///
    /// Between pixels it is interpolated, so that a letter can be drawn at any size.
    pub fn ink(&self, x: f32, y: f32) -> f32 {
        // One pixel further, as conversions to whole numbers stop at zero.
        let (x, y) = (x + 0.5, y + 0.5);
        if x < 0.0 || y < 0.0 {
            return 0.0;
        }
        let (column, row) = (floor(x), floor(y));
        let upper = mix(self.pixel(column, row), self.pixel(column + 1, row), x.fract());
        let lower = mix(self.pixel(column, row + 1), self.pixel(column + 1, row + 1), x.fract());
        mix(upper, lower, y.fract())
    }

    /// The pixel left of and above the one at a column and a row, so that 0 is outside.
    fn pixel(&self, column: usize, row: usize) -> f32 {
        let row = row.checked_sub(1).and_then(|row| self.0.get(row));
        let pixel = column.checked_sub(1).and_then(|column| row?.get(column));
        f32::from(u8::from(pixel.copied().unwrap_or_default()))
    }
}

fn push_kana(plain: &mut String, letter: char, first: u32) {
    let index = usize::try_from(u32::from(letter) - first).unwrap_or(usize::MAX);
    plain.push_str(KATAKANA.split(' ').nth(index).unwrap_or("\u{fffd}"));
}

/// Control characters, combining marks, joiners, variation selectors and direction marks.
fn without_width(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{ad}' | '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(letter, '\u{2060}'..='\u{206f}' | '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
        || matches!(letter, '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0000}'..='\u{e01ef}')
}

fn pixel_of(font: &MonoFont<'_>, index: usize, x: usize, y: usize) -> bool {
    let columns = usize::try_from(font.image.size().width).unwrap_or_default() / CELL_WIDTH;
    let (x, y) = ((index % columns) * CELL_WIDTH + x, (index / columns) * CELL_HEIGHT + y);
    let (Ok(x), Ok(y)) = (i32::try_from(x), i32::try_from(y)) else {
        return false;
    };
    font.image.pixel(Point::new(x, y)) == Some(BinaryColor::On)
}

/// The outline of a box.
fn tofu(x: usize, y: usize) -> bool {
    let inside = (1..=8).contains(&x) && (3..=16).contains(&y);
    inside && (matches!(x, 1 | 8) || matches!(y, 3 | 16))
}

#[cfg(test)]
mod tests {
    use super::super::numbers::place;
    use super::*;

    fn dots(letter: char) -> usize {
        Glyph::of(letter).0.iter().flatten().filter(|pixel| **pixel).count()
    }

    fn is_box(letter: char) -> bool {
        Glyph::of(letter).0 == Glyph::of('\u{10ffff}').0
    }

    #[test]
    fn european_alphabets_and_kana_have_letters_and_others_a_box() {
        for letter in "aZ09?éßøçñžłğşőÞŵΩλЖщЇ€№ｱﾝ".chars() {
            assert!(dots(letter) > 8 && !is_box(letter), "{letter}");
        }
        for letter in "漢अ🚀ש\u{fffd}".chars() {
            assert!(is_box(letter) && dots(letter) > 30, "{letter}");
        }
        assert_eq!(dots(' '), 0);
    }

    #[test]
    fn every_kana_becomes_letters_that_can_be_drawn() {
        for letter in ('\u{3041}'..='\u{3096}').chain('\u{30a1}'..='\u{30f6}') {
            let written = plain(&letter.to_string());
            assert!(!written.is_empty() && written.chars().all(|letter| !is_box(letter)), "{letter}: {written}");
        }
        assert_eq!(plain("サトシ・がんばる"), "ｻﾄｼ·ｶﾞﾝﾊﾞﾙ");
    }

    #[test]
    fn signs_are_simplified_and_what_has_no_width_vanishes() {
        assert_eq!(plain("“don’t” – wait…"), "\"don't\" - wait...");
        assert_eq!(plain("a\u{200d}b\u{301}c\u{202e}\u{fe0f}\0d\te"), "abcd e");
        assert_eq!(plain("ＦＵＬＬ！"), "FULL!");
    }

    #[test]
    fn ink_lies_where_the_pixels_are() {
        let glyph = Glyph::of('l');
        for (y, row) in glyph.0.iter().enumerate() {
            for (x, pixel) in row.iter().enumerate() {
                let ink = glyph.ink(place(x) + 0.5, place(y) + 0.5);
                assert!((ink - f32::from(u8::from(*pixel))).abs() < 1e-5, "{x} {y}");
            }
        }
        assert!(glyph.ink(-3.0, 5.0).abs() < 1e-6 && glyph.ink(50.0, 5.0).abs() < 1e-6);
    }
}
