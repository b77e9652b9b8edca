//! Between whole numbers and real ones.
//!
//! Rounding is spelled as a truncating cast: without SSE 4.1, `floor` and `round` are calls, once a pixel.

/// A count or a position as a real number; exact up to 2²⁴, far beyond any side of a picture.
#[expect(
    clippy::cast_precision_loss,
    reason = "positions and sums here are small, and a shade more or less is invisible"
)]
pub const fn real(count: u64) -> f32 {
    count as f32
}

/// A position in a frame or a list as a real number.
#[expect(clippy::cast_precision_loss, reason = "positions are below 2^24")]
pub const fn place(index: usize) -> f32 {
    index as f32
}

/// The whole number at or below a non-negative one; negative ones and NaN become zero.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates, as wanted")]
pub fn floor(value: f32) -> usize {
    value as usize
}

/// A whole number near zero, saturating.
#[expect(clippy::cast_possible_truncation, reason = "the cast saturates, as wanted")]
pub fn whole(value: f32) -> i16 {
    (value + 0.5_f32.copysign(value)) as i16
}

/// The nearest byte, saturating.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates, as wanted")]
pub fn byte(value: f32) -> u8 {
    (value + 0.5) as u8
}

/// From `from` at 0 to `to` at 1.
pub fn mix(from: f32, to: f32, share: f32) -> f32 {
    from + (to - from) * share
}

/// 0 below `low`, 1 above `high`, with level ends between.
pub fn smooth_step(low: f32, high: f32, value: f32) -> f32 {
    let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
    share * share * (3.0 - 2.0 * share)
}
