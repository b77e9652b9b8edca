//! Colours as video keeps them: brightness and two colour differences (BT.709, studio range).

use super::numbers::{byte, mix};

/// A colour of a video frame. Mixing and turning happen on real numbers; bytes are made last.
#[derive(Clone, Copy, Debug)]
pub struct Colour([f32; 3]);

impl Colour {
    /// From `0xRRGGBB`, as designers write sRGB colours.
    pub const fn hex(rgb: u32) -> Self {
        let [_, red, green, blue] = rgb.to_be_bytes();
        let (red, green, blue) = (red as f32 / 255.0, green as f32 / 255.0, blue as f32 / 255.0);
        let luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
        Self([16.0 + 219.0 * luma, 128.0 + 224.0 * (blue - luma) / 1.8556, 128.0 + 224.0 * (red - luma) / 1.5748])
    }

    /// This colour at 0, the other at 1.
    pub fn mix(self, other: Self, share: f32) -> Self {
        let mut mixed = self.0;
        for (value, other) in mixed.iter_mut().zip(other.0) {
            *value = mix(*value, other, share);
        }
        Self(mixed)
    }

    /// The same brightness with its hue turned by an angle in radians.
    pub fn turned(self, angle: f32) -> Self {
        let [luma, blue, red] = self.0;
        let (sine, cosine) = angle.sin_cos();
        let (blue, red) = (blue - 128.0, red - 128.0);
        Self([luma, 128.0 + blue * cosine - red * sine, 128.0 + blue * sine + red * cosine])
    }

    /// Its value on one of the frame's three planes.
    pub fn on(self, plane: usize) -> f32 {
        self.0[plane]
    }

    /// Its value on one of the frame's three planes, as stored.
    pub fn byte_on(self, plane: usize) -> u8 {
        byte(self.0[plane])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primaries_have_the_values_of_the_standard() {
        let bytes = |rgb| [0, 1, 2].map(|plane| Colour::hex(rgb).byte_on(plane));
        assert_eq!(bytes(0x00_0000), [16, 128, 128]);
        assert_eq!(bytes(0xff_ffff), [235, 128, 128]);
        assert_eq!(bytes(0xff_0000), [63, 102, 240]);
        assert_eq!(bytes(0x00_00ff), [32, 240, 118]);
    }
}
