//! Breaking a text into lines, as large as it fits.

use super::glyphs::CELL_WIDTH;
use super::numbers::{floor, place};

/// Sizes at which a prompt may be written, the largest first: magnification and lines at most.
const SIZES: [(f32, usize); 2] = [(1.5, 2), (1.0, 5)];

/// The largest size at which a text fits, and its lines; at the smallest size the rest is cut off.
pub fn fitted(text: &str, width: f32) -> (f32, Vec<String>) {
    let mut cut = (1.0, Vec::new());
    for (scale, most) in SIZES {
        let columns = floor(width / (place(CELL_WIDTH) * scale));
        let mut lines = wrapped(text, columns);
        if lines.len() <= most {
            return (scale, lines);
        }
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            shorten(last, columns);
        }
        cut = (scale, lines);
    }
    cut
}

/// Breaks a text between words, and words that are longer than a line anywhere.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut room = 0;
    for word in text.split_whitespace() {
        let letters: Vec<char> = word.chars().collect();
        if letters.len() < room {
            room -= letters.len() + 1;
            if let Some(line) = lines.last_mut() {
                line.push(' ');
                line.push_str(word);
            }
            continue;
        }
        for piece in letters.chunks(columns) {
            room = columns - piece.len();
            lines.push(piece.iter().collect());
        }
    }
    lines
}

/// Ends a line with three dots, at a word's end if one is near.
fn shorten(line: &mut String, columns: usize) {
    let mut letters: Vec<char> = line.chars().take(columns - 3).collect();
    if line.chars().count() > letters.len()
        && let Some(space) = letters.iter().rposition(|letter| *letter == ' ')
        && letters.len() - space < 16
    {
        letters.truncate(space);
    }
    *line = letters.into_iter().chain("...".chars()).collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_prompts_are_large_and_whole_and_long_ones_are_cut_at_a_word() {
        let (scale, lines) = fitted("a lighthouse at dusk", 584.0);
        assert!(scale > 1.0);
        assert_eq!(lines, ["a lighthouse at dusk"]);
        let (scale, lines) = fitted(&"seven words make up one short sentence ".repeat(50), 584.0);
        assert!(scale < 1.1);
        assert_eq!(lines.len(), 5);
        assert!(lines[4].ends_with("..."), "{lines:?}");
        assert!(lines.iter().all(|line| line.chars().count() <= 58), "{lines:?}");
        assert!(
            "seven words make up one short sentence"
                .contains(lines[4].trim_end_matches('.').split(' ').next_back().unwrap())
        );
    }

    #[test]
    fn words_are_kept_whole_where_a_line_holds_them() {
        assert_eq!(wrapped("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrapped("one two", 6), ["one", "two"]);
        assert_eq!(wrapped("unbreakable x", 4), ["unbr", "eaka", "ble", "x"]);
        assert_eq!(wrapped("abcd x", 4), ["abcd", "x"]);
        assert_eq!(wrapped(" \n\t ", 4), Vec::<String>::new());
    }
}
