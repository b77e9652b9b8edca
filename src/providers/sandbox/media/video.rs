//! The sandbox's video: a landscape of the prompt's own, with the prompt written over it.

use super::MediaError;
use super::caption::Caption;
use super::film::{FRAMES_PER_SECOND, Film};
use super::frame::Frame;
use super::numbers::real;
use super::scene::Scene;

/// The longest clip rendered, in seconds: time and memory grow with it.
const MAX_SECONDS: u32 = 60;

/// What the video shows.
#[derive(Clone, Copy, Debug)]
pub struct Clip<'a> {
    /// The text that decides the scene and is written over it.
    pub prompt: &'a str,
    /// The length in seconds.
    pub seconds: u32,
    /// Whether the viewpoint stands still. Things in the scene move either way.
    pub camera_fixed: bool,
}

/// Renders a clip: H.264 (constrained baseline) in MP4, 640 by 360 pixels, 24 frames a second, fast start, silent.
///
/// The same clip always gives the same bytes. The length is exact.
///
/// # Errors
///
/// [`MediaError::Seconds`] if the length is zero or above a minute, [`MediaError::Encoder`] or [`MediaError::Muxer`] if
/// the codec fails.
pub fn render_video(clip: &Clip<'_>) -> Result<Vec<u8>, MediaError> {
    if !(1..=MAX_SECONDS).contains(&clip.seconds) {
        return Err(MediaError::Seconds { seconds: clip.seconds, max: MAX_SECONDS });
    }
    let scene = Scene::of(clip);
    let caption = Caption::of(clip.prompt);
    let mut film = Film::new()?;
    let mut frame = Frame::new();
    for number in 0..clip.seconds * FRAMES_PER_SECOND {
        scene.paint(&mut frame, real(u64::from(number)) / real(u64::from(FRAMES_PER_SECOND)));
        caption.paint(&mut frame);
        film.add(&frame)?;
    }
    film.finish()
}

#[cfg(test)]
mod tests {
    use openh264::decoder::Decoder;
    use openh264::formats::YUVSource as _;

    use super::super::frame::{HEIGHT, WIDTH};
    use super::*;

    const PROMPT: &str = "a lighthouse at dusk";
    const SECONDS: u32 = 1;

    fn rendered(camera_fixed: bool) -> Vec<u8> {
        render_video(&Clip { prompt: PROMPT, seconds: SECONDS, camera_fixed }).unwrap()
    }

    fn number(bytes: &[u8]) -> u32 {
        u32::from_be_bytes(bytes[..4].try_into().unwrap())
    }

    /// The boxes of an MP4 file or of a box: their kind, where they start, and their content.
    fn boxes(bytes: &[u8]) -> Vec<(&[u8], usize, &[u8])> {
        let (mut found, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            let length = number(&bytes[at..]) as usize;
            found.push((&bytes[at + 4..at + 8], at, &bytes[at + 8..at + length]));
            at += length;
        }
        found
    }

    fn inside<'a>(bytes: &'a [u8], path: &[&[u8; 4]]) -> &'a [u8] {
        path.iter().fold(bytes, |bytes, kind| boxes(bytes).iter().find(|(found, ..)| found == kind).unwrap().2)
    }

    /// The brightness of every frame as a decoder shows it.
    fn frames(file: &[u8]) -> Vec<Vec<u8>> {
        let table = inside(file, &[b"moov", b"trak", b"mdia", b"minf", b"stbl"]);
        let configuration = &inside(table, &[b"stsd"])[8 + 8 + 78..];
        let (sets, sizes) = (inside(configuration, &[b"avcC"]), inside(table, &[b"stsz"]));
        let mut decoder = Decoder::new().unwrap();
        let mut stream = Vec::new();
        let sps = usize::from(u16::from_be_bytes([sets[6], sets[7]]));
        for set in [&sets[8..8 + sps], &sets[8 + sps + 3..]] {
            stream.extend([0, 0, 0, 1]);
            stream.extend(set);
        }
        let mut samples = inside(file, &[b"mdat"]);
        let mut shown = Vec::new();
        for size in sizes[12..].chunks_exact(4) {
            let (mut sample, rest) = samples.split_at(number(size) as usize);
            while !sample.is_empty() {
                let (unit, next) = sample[4..].split_at(number(sample) as usize);
                stream.extend([0, 0, 0, 1]);
                stream.extend(unit);
                sample = next;
            }
            samples = rest;
            if let Some(picture) = decoder.decode(&stream).unwrap() {
                assert_eq!(picture.dimensions(), (WIDTH, HEIGHT));
                let stride = picture.strides().0;
                shown.push(picture.y().chunks(stride).take(HEIGHT).flat_map(|row| row[..WIDTH].to_vec()).collect());
            }
            stream.clear();
        }
        shown
    }

    #[test]
    fn the_file_lasts_exactly_as_long_as_asked_and_starts_fast() {
        let file = rendered(true);
        let order: Vec<&[u8]> = boxes(&file).iter().map(|(kind, ..)| *kind).collect();
        assert_eq!(order, [b"ftyp", b"moov", b"mdat"]);
        let movie = inside(&file, &[b"moov", b"mvhd"]);
        assert_eq!(number(&movie[16..]), SECONDS * number(&movie[12..]));
        let media = inside(&file, &[b"moov", b"trak", b"mdia", b"mdhd"]);
        assert_eq!(number(&media[16..]), SECONDS * number(&media[12..]));
        let table = inside(&file, &[b"moov", b"trak", b"mdia", b"minf", b"stbl"]);
        let times = inside(table, &[b"stts"]);
        assert_eq!([4, 8, 12].map(|at| number(&times[at..])), [1, SECONDS * 24, number(&media[12..]) / 24]);
    }

    #[test]
    fn every_frame_decodes() {
        assert_eq!(frames(&rendered(false)).len(), 24);
    }

    #[test]
    fn a_fixed_camera_leaves_the_land_in_place_and_a_free_one_moves_it() {
        // The crest of the nearest land and the trees on it, but not what is written over its foot.
        let land = 285 * WIDTH..300 * WIDTH;
        let moved = |camera_fixed| {
            let frames = frames(&rendered(camera_fixed));
            let pairs = frames[0][land.clone()].iter().zip(&frames[23][land.clone()]);
            pairs.filter(|(before, after)| before.abs_diff(**after) > 12).count()
        };
        // Lanterns and the like pass in front of a fixed camera too.
        let (fixed, free) = (moved(true), moved(false));
        assert!(free > 4 * fixed.max(100), "{fixed} {free}");
    }

    #[test]
    fn the_same_clip_gives_the_same_bytes_and_another_prompt_others() {
        let clip = |prompt| render_video(&Clip { prompt, seconds: 1, camera_fixed: true }).unwrap();
        assert_eq!(clip("one"), clip("one"));
        assert_ne!(clip("one"), clip("two"));
    }

    #[test]
    fn lengths_outside_of_a_minute_are_refused() {
        for seconds in [0, 61, u32::MAX] {
            let clip = Clip { prompt: PROMPT, seconds, camera_fixed: true };
            assert!(matches!(render_video(&clip), Err(MediaError::Seconds { .. })));
        }
    }
}
