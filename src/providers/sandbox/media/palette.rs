//! The moods that a scene can have.

use super::colour::Colour;
use super::dice::Dice;

/// What shines in the sky besides its light.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heaven {
    /// Stars, some of which twinkle.
    Stars,
    /// Stars behind curtains of northern lights.
    Aurora,
    /// Clouds alone.
    Clouds,
}

/// What floats through the air.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Air {
    /// Glow-worms over the ground.
    Fireflies,
    /// Paper lanterns that rise.
    Lanterns,
    /// Snow.
    Snow,
    /// A flock of birds.
    Birds,
}

/// The colours of a scene and what belongs to them.
#[derive(Clone, Copy)]
pub struct Palette {
    /// The sky from the top down to the horizon.
    pub sky: [Colour; 4],
    /// The sun's or the moon's disc.
    pub orb: Colour,
    /// The light around it, and what is lit.
    pub glow: Colour,
    /// The farthest land.
    pub far: Colour,
    /// The nearest land.
    pub near: Colour,
    /// What shines above.
    pub heaven: Heaven,
    /// What may float about.
    pub air: [Air; 2],
}

impl Palette {
    /// One of the moods, its hues turned a little.
    pub fn thrown(dice: &mut Dice) -> Self {
        let mood = *dice.pick(&MOODS);
        let angle = dice.between(-0.22, 0.22);
        Self {
            sky: mood.sky.map(|colour| colour.turned(angle)),
            orb: mood.orb,
            glow: mood.glow.turned(angle),
            far: mood.far.turned(angle),
            near: mood.near.turned(angle),
            ..mood
        }
    }
}

const MOODS: [Palette; 9] = [
    mood(
        [0x04_0a1c, 0x0a_1c3f, 0x16_3f5e, 0x3a_7d80],
        [0xf2_fbff, 0x5c_ffb4],
        [0x22_5468, 0x03_0d18],
        Heaven::Aurora,
        [Air::Snow, Air::Fireflies],
    ),
    mood(
        [0x17_0d33, 0x47_1c66, 0xae_3f70, 0xff_a070],
        [0xff_e2b0, 0xff_b27a],
        [0x86_4279, 0x14_0822],
        Heaven::Stars,
        [Air::Lanterns, Air::Birds],
    ),
    mood(
        [0x2a_4d7c, 0x76_95b8, 0xf0_c3a2, 0xff_e8c2],
        [0xff_fbe8, 0xff_edc4],
        [0xae_98aa, 0x28_213c],
        Heaven::Clouds,
        [Air::Birds, Air::Birds],
    ),
    mood(
        [0x2f_7896, 0x74_b2c4, 0xc4_e2dc, 0xf4_f2dc],
        [0xff_ffff, 0xff_f8dc],
        [0x8c_b8ba, 0x0f_2e36],
        Heaven::Clouds,
        [Air::Birds, Air::Birds],
    ),
    mood(
        [0x28_0d2c, 0x76_2038, 0xd6_512e, 0xff_c562],
        [0xff_efc0, 0xff_c870],
        [0xb8_563e, 0x26_0a16],
        Heaven::Clouds,
        [Air::Birds, Air::Lanterns],
    ),
    mood(
        [0x02_0614, 0x09_1533, 0x1b_3462, 0x4c_75a2],
        [0xf4_f6ff, 0xa8_c4f0],
        [0x2e_4c7c, 0x04_0814],
        Heaven::Stars,
        [Air::Fireflies, Air::Lanterns],
    ),
    mood(
        [0x56_78aa, 0xa4_b6d8, 0xee_cdd6, 0xff_f0ee],
        [0xff_ffff, 0xff_eaea],
        [0xba_bad4, 0x38_4062],
        Heaven::Clouds,
        [Air::Snow, Air::Snow],
    ),
    mood(
        [0x05_1c26, 0x0c_4648, 0x3c_8c6e, 0xf2_d68c],
        [0xff_f6cc, 0xff_e09a],
        [0x30_7c6c, 0x03_1216],
        Heaven::Stars,
        [Air::Fireflies, Air::Birds],
    ),
    mood(
        [0x0b_0a2a, 0x24_1a58, 0x5a_3a94, 0xc8_7cc0],
        [0xff_f0fa, 0xe0_a0ff],
        [0x58_4492, 0x0a_0820],
        Heaven::Aurora,
        [Air::Lanterns, Air::Snow],
    ),
];

const fn mood(sky: [u32; 4], lights: [u32; 2], land: [u32; 2], heaven: Heaven, air: [Air; 2]) -> Palette {
    Palette {
        sky: [Colour::hex(sky[0]), Colour::hex(sky[1]), Colour::hex(sky[2]), Colour::hex(sky[3])],
        orb: Colour::hex(lights[0]),
        glow: Colour::hex(lights[1]),
        far: Colour::hex(land[0]),
        near: Colour::hex(land[1]),
        heaven,
        air,
    }
}
