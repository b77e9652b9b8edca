//! Frames to H.264 to MP4.

use muxide::api::{Muxer, MuxerBuilder, VideoCodec};
use openh264::encoder::{
    BitRate, Complexity, Encoder, EncoderConfig, FrameRate, FrameType, IntraFramePeriod, Level, Profile, QpRange,
    RateControlMode, UsageType, VuiConfig,
};
use openh264::{OpenH264API, Timestamp};

use super::MediaError;
use super::frame::{Frame, HEIGHT, WIDTH};

/// Frames a second.
pub const FRAMES_PER_SECOND: u32 = 24;
/// Frames from one that stands alone to the next: players can jump to every second one.
const KEY_FRAMES_EVERY: u32 = 48;
/// A ceiling that the encoder demands and that these settings never make it use, in bits a second.
const BITS_PER_SECOND: u32 = 1_100_000;

/// A film in the making.
pub struct Film {
    encoder: Encoder,
    muxer: Muxer<Vec<u8>>,
    frames: u32,
    packet: Vec<u8>,
}

impl Film {
    /// An empty film.
    ///
    /// # Errors
    ///
    /// [`MediaError`] if the encoder or the muxer cannot be started.
    pub fn new() -> Result<Self, MediaError> {
        let config = EncoderConfig::new()
            .usage_type(UsageType::CameraVideoRealTime)
            // With frame skipping off this mode keeps the quantiser at its minimum: even quality at any moment. The
            // others pulse, or warn on the process's standard error.
            .rate_control_mode(RateControlMode::Bufferbased)
            // Live calls drop frames to keep a rate; here every frame counts towards the length.
            .skip_frames(false)
            .bitrate(BitRate::from_bps(BITS_PER_SECOND))
            .max_frame_rate(FrameRate::from_hz(24.0))
            .intra_frame_period(IntraFramePeriod::from_num_frames(KEY_FRAMES_EVERY))
            .scene_change_detect(false)
            .complexity(Complexity::Low)
            .qp(QpRange::new(20, 21))
            .profile(Profile::Baseline)
            .level(Level::Level_3_0)
            .num_threads(1)
            .vui(VuiConfig::bt709());
        let (width, height) = (u32::try_from(WIDTH).unwrap_or_default(), u32::try_from(HEIGHT).unwrap_or_default());
        Ok(Self {
            encoder: Encoder::with_api_config(OpenH264API::from_source(), config)?,
            muxer: MuxerBuilder::new(Vec::new())
                .video(VideoCodec::H264, width, height, f64::from(FRAMES_PER_SECOND))
                .with_fast_start(true)
                .build()?,
            frames: 0,
            packet: Vec::new(),
        })
    }

    /// Appends a frame.
    ///
    /// # Errors
    ///
    /// [`MediaError`] if the encoder or the muxer refuses it.
    pub fn add(&mut self, frame: &Frame) -> Result<(), MediaError> {
        let millis = u64::from(self.frames) * 1_000 / u64::from(FRAMES_PER_SECOND);
        let encoded = self.encoder.encode_at(frame, Timestamp::from_millis(millis))?;
        self.packet.clear();
        encoded.write_vec(&mut self.packet);
        let key = matches!(encoded.frame_type(), FrameType::IDR);
        let seconds = f64::from(self.frames) / f64::from(FRAMES_PER_SECOND);
        self.muxer.write_video(seconds, &self.packet, key)?;
        self.frames += 1;
        Ok(())
    }

    /// The film as an MP4 file.
    ///
    /// # Errors
    ///
    /// [`MediaError::Muxer`] if the file cannot be laid out.
    pub fn finish(mut self) -> Result<Vec<u8>, MediaError> {
        self.muxer.finish_in_place()?;
        Ok(self.muxer.into_writer())
    }
}
