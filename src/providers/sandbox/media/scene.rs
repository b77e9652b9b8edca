//! A landscape that a prompt decides, and how it moves.

use super::dice::Dice;
use super::frame::Frame;
use super::numbers::{floor, mix, place};
use super::palette::Palette;
use super::ridge::{Form, Ridge, Stand};
use super::sky::Sky;
use super::specks::Specks;
use super::video::Clip;
use super::water::Water;

/// What the viewer's place does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Camera {
    /// It stands; only what lives in the scene moves.
    Still,
    /// It travels sideways, by so many pixels a second at the nearest land.
    Panning(f32),
}

impl Camera {
    /// How far it has come after some seconds, in pixels at the nearest land.
    fn pan(self, seconds: f32) -> f32 {
        match self {
            Self::Still => 0.0,
            Self::Panning(pace) => pace * seconds,
        }
    }
}

/// Everything that is painted, from the back to the front.
pub struct Scene {
    camera: Camera,
    sky: Sky,
    far: Vec<Ridge>,
    water: Option<Water>,
    near: Vec<Ridge>,
    specks: Specks,
}

impl Scene {
    /// The scene of a clip.
    pub fn of(clip: &Clip<'_>) -> Self {
        let mut dice = Dice::of(clip.prompt);
        let palette = Palette::thrown(&mut dice);
        let lake = dice.chance(0.6);
        let horizon = if lake { dice.between(196.0, 232.0) } else { dice.between(215.0, 250.0) };
        let shore = floor(horizon / 2.0) * 2;
        let pace = dice.between(26.0, 36.0) * if dice.chance(0.5) { 1.0 } else { -1.0 };
        Self {
            camera: if clip.camera_fixed { Camera::Still } else { Camera::Panning(pace) },
            sky: Sky::new(&palette, horizon, &mut dice),
            far: far_ridges(&palette, place(shore), &mut dice),
            water: lake.then(|| Water::new(shore, palette.near.mix(palette.sky[1], 0.45))),
            near: near_ridges(&palette, lake, &mut dice),
            specks: Specks::thrown(&palette, &mut dice),
        }
    }

    /// Paints the scene as it is `seconds` into the clip.
    pub fn paint(&self, frame: &mut Frame, seconds: f32) {
        let pan = self.camera.pan(seconds);
        self.sky.paint(frame, seconds, pan);
        paint_land(frame, &self.far, pan);
        if let Some(water) = &self.water {
            water.paint(frame, seconds, pan);
        }
        paint_land(frame, &self.near, pan);
        self.specks.paint(frame, seconds, pan);
    }
}

fn paint_land(frame: &mut Frame, ridges: &[Ridge], pan: f32) {
    for plane in &mut frame.planes {
        for ridge in ridges {
            ridge.paint(plane, pan);
        }
    }
}

/// Land up to the horizon, each ridge lower, darker and faster than the one behind it.
fn far_ridges(palette: &Palette, horizon: f32, dice: &mut Dice) -> Vec<Ridge> {
    let form = *dice.pick(&[Form::Peaks, Form::Peaks, Form::Hills, Form::Dunes]);
    let tall = dice.between(0.75, 1.1);
    [(0.10, 118.0, 46.0, 0.07), (0.30, 84.0, 22.0, 0.15), (0.52, 46.0, 4.0, 0.27)]
        .into_iter()
        .map(|(near, high, low, speed)| {
            let top = palette.sky[3].mix(palette.far, 0.55 + near).mix(palette.near, near);
            let stand = Stand {
                high: horizon - high * tall,
                low: horizon - low,
                top,
                foot: top.mix(palette.sky[3], 0.42 - 0.4 * near),
                speed,
            };
            Ridge::new(if near > 0.5 && form == Form::Peaks { Form::Hills } else { form }, &stand, dice)
        })
        .collect()
}

/// Land before the viewer's feet. Over a lake it is the near shore, low enough to leave the water in view.
fn near_ridges(palette: &Palette, lake: bool, dice: &mut Dice) -> Vec<Ridge> {
    let form = *dice.pick(&[Form::Firs, Form::Firs, Form::Hills, Form::Dunes]);
    let stands: &[(f32, f32, f32, f32)] = if lake {
        &[(0.94, 268.0, 352.0, 1.0)]
    } else {
        &[(0.7, 205.0, 268.0, 0.46), (0.84, 222.0, 312.0, 0.7), (0.97, 258.0, 356.0, 1.0)]
    };
    stands
        .iter()
        .map(|&(near, high, low, speed)| {
            let top = palette.far.mix(palette.near, near);
            let foot = top.mix(palette.far, mix(0.3, 0.0, near));
            let form = if near < 0.8 { Form::Hills } else { form };
            Ridge::new(form, &Stand { high, low, top, foot, speed }, dice)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Land and nothing else, some seconds into a clip.
    fn land(clip: &Clip<'_>, seconds: f32) -> Vec<u8> {
        let (scene, mut frame) = (Scene::of(clip), Frame::new());
        for ridges in [&scene.far, &scene.near] {
            paint_land(&mut frame, ridges, scene.camera.pan(seconds));
        }
        frame.planes[0].samples.clone()
    }

    #[test]
    fn only_a_free_camera_moves_the_land() {
        for number in 0..4 {
            let prompt = &format!("prompt {number}");
            let clip = |camera_fixed| Clip { prompt, seconds: 5, camera_fixed };
            assert!(land(&clip(true), 0.0) == land(&clip(true), 4.0), "{prompt}");
            assert!(land(&clip(false), 0.0) != land(&clip(false), 4.0), "{prompt}");
            assert!(land(&clip(true), 0.0) == land(&clip(false), 0.0), "{prompt}");
        }
    }

    #[test]
    fn something_moves_before_a_fixed_camera_too() {
        for number in 0..4 {
            let prompt = &format!("prompt {number}");
            let scene = Scene::of(&Clip { prompt, seconds: 5, camera_fixed: true });
            let (mut first, mut later) = (Frame::new(), Frame::new());
            scene.paint(&mut first, 0.0);
            scene.paint(&mut later, 2.0);
            let pairs = first.planes[0].samples.iter().zip(&later.planes[0].samples);
            let moved = pairs.filter(|(first, later)| first.abs_diff(**later) > 8).count();
            assert!(moved > 300, "{prompt}: {moved}");
        }
    }

    #[test]
    fn prompts_have_scenes_of_their_own() {
        let clip = |prompt| Clip { prompt, seconds: 5, camera_fixed: true };
        assert!(land(&clip("one"), 0.0) != land(&clip("two"), 0.0));
    }
}
