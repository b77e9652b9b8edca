//! What the engine relies on in every provider, held against the sandbox, and what is particular to the sandbox.

use serde_json::{Map, Value};

use super::*;
use crate::clock::ManualClock;
use crate::domain::request::{ImageType, ModelSpec, VideoSpec};
use futures_util::TryStreamExt as _;

const GENERATION: Duration = Duration::from_secs(4);

/// A provider, and what makes its generations go on.
struct Subject<'a> {
    provider: &'a dyn Provider,
    pass: &'a dyn Fn(Duration),
    /// The time that a generation takes.
    takes: Duration,
}

fn video(prompt: &str) -> JobSpec {
    JobSpec::Video(VideoSpec {
        prompt: prompt.into(),
        model: "Video Generation".into(),
        duration: 1,
        camera_fixed: true,
    })
}

fn model(trailer: &str) -> JobSpec {
    let mut png = std::io::Cursor::new(Vec::new());
    let picture = image::RgbImage::from_fn(4, 4, |x, y| image::Rgb([if x > y { 200 } else { 20 }, 90, 40]));
    picture.write_to(&mut png, image::ImageFormat::Png).unwrap();
    let mut image = png.into_inner();
    image.extend_from_slice(trailer.as_bytes());
    JobSpec::Model3d(ModelSpec { media_type: ImageType::Png, image: image.into() })
}

fn task(id: &str) -> Task<'_> {
    Task { id, key: id, model: "", result: "", limit: u64::MAX }
}

fn order<'a>(key: &'a str, spec: &'a JobSpec, input: &'a Map<String, Value>) -> Order<'a> {
    let (age, time_left) = (Duration::ZERO, Duration::from_mins(5));
    Order { key, spec, model: "", input, webhook: None, sent_at: 0, age, time_left }
}

async fn find(provider: &dyn Provider, key: &str) -> Result<Found, ProviderError> {
    provider.find(&order(key, &video(""), &Map::new())).await
}

async fn submit(provider: &dyn Provider, key: &str, spec: &JobSpec) -> Result<String, ProviderError> {
    provider.submit(&order(key, spec, &Map::new())).await
}

fn progress(poll: Result<Poll, ProviderError>) -> f32 {
    match poll {
        Ok(Poll::Pending { progress, .. }) => progress.unwrap_or(0.0),
        other => panic!("not pending: {other:?}"),
    }
}

async fn whole(stream: ByteStream) -> Vec<u8> {
    let chunks: Vec<Bytes> = stream.try_collect().await.unwrap();
    assert!(chunks.len() > 1 || chunks[0].len() <= CHUNK, "a file arrives in pieces");
    chunks.concat()
}

/// The contract: from a submit to a file of the kind that was asked for, and nothing left behind.
async fn delivers(subject: &Subject<'_>, key: &str, spec: &JobSpec, is_right: fn(&[u8]) -> bool) {
    let Subject { provider, pass, takes } = *subject;
    assert_eq!(find(provider, key).await, Ok(Found::Nothing), "nothing was sent yet");
    let id = submit(provider, key, spec).await.unwrap();
    assert_eq!(find(provider, key).await, Ok(Found::Started(id.clone())));
    assert_eq!(submit(provider, key, spec).await, Ok(id.clone()), "the same key is the same generation");
    let mut before = progress(provider.poll(&task(&id)).await);
    for _ in 0..3 {
        pass(takes / 4);
        let now = progress(provider.poll(&task(&id)).await);
        assert!(now >= before && now < 1.0, "progress goes from {before} to {now}");
        before = now;
    }
    pass(takes / 4);
    assert_eq!(provider.poll(&task(&id)).await, Ok(Poll::Ready { charged: None }));
    assert_eq!(provider.poll(&task(&id)).await, Ok(Poll::Ready { charged: None }), "looking changes nothing");
    let file = whole(provider.fetch(&task(&id)).await.unwrap()).await;
    assert!(is_right(&file), "a file of another kind: {:?}", &file[..file.len().min(12)]);
    forgets(provider, key, &id).await;
}

/// The contract: what was discarded is not known any more, and discarding it again is no error.
async fn forgets(provider: &dyn Provider, key: &str, id: &str) {
    assert_eq!(provider.discard(&task(id)).await, Ok(()));
    assert_eq!(provider.discard(&task(id)).await, Ok(()));
    assert_eq!(provider.poll(&task(id)).await, Err(ProviderError::Unknown));
    assert_eq!(provider.fetch(&task(id)).await.err(), Some(ProviderError::Unknown));
    assert_eq!(find(provider, key).await, Ok(Found::Nothing));
}

/// The contract: ids and keys that never were are told apart from failures.
async fn knows_nothing_of_strangers(provider: &dyn Provider) {
    for stranger in ["no-such-id.1", "", "../../etc/passwd", "..", "a/b", "a\0b", "\u{e9}"] {
        assert_eq!(provider.poll(&task(stranger)).await, Err(ProviderError::Unknown), "{stranger:?}");
        assert_eq!(provider.fetch(&task(stranger)).await.err(), Some(ProviderError::Unknown), "{stranger:?}");
        assert_eq!(find(provider, stranger).await, Ok(Found::Nothing), "{stranger:?}");
    }
}

fn sandbox() -> (SandboxProvider, Arc<ManualClock>, tempfile::TempDir) {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(ManualClock::new(1_900_000_000_000)));
    (SandboxProvider::new(folder.path(), clock.clone(), GENERATION).unwrap(), clock, folder)
}

fn names(folder: &tempfile::TempDir) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path()).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

#[tokio::test]
async fn a_video_is_delivered() {
    let (provider, clock, folder) = sandbox();
    let subject = Subject { provider: &provider, pass: &|time| clock.advance(time), takes: GENERATION };
    delivers(&subject, "job.1", &video("a lighthouse"), |file| &file[4..8] == b"ftyp").await;
    assert_eq!(provider.creates(), 1);
    assert!(names(&folder).is_empty(), "{:?}", names(&folder));
}

#[tokio::test]
async fn a_model_is_delivered() {
    let (provider, clock, folder) = sandbox();
    let subject = Subject { provider: &provider, pass: &|time| clock.advance(time), takes: GENERATION };
    delivers(&subject, "job.1", &model(""), |file| file.starts_with(b"glTF")).await;
    assert_eq!(provider.creates(), 1);
    assert!(names(&folder).is_empty(), "{:?}", names(&folder));
}

#[tokio::test]
async fn strangers_are_unknown() {
    let (provider, _clock, _folder) = sandbox();
    knows_nothing_of_strangers(&provider).await;
}

#[tokio::test]
async fn a_generation_outlives_the_process() {
    let (provider, clock, folder) = sandbox();
    let id = submit(&provider, "job.1", &model("")).await.unwrap();
    clock.advance(GENERATION / 2);
    let before = progress(provider.poll(&task(&id)).await);
    drop(provider);

    let again = SandboxProvider::new(folder.path(), clock.clone(), GENERATION).unwrap();
    assert_eq!(find(&again, "job.1").await, Ok(Found::Started(id.clone())));
    assert!((progress(again.poll(&task(&id)).await) - before).abs() < f32::EPSILON);
    assert_eq!(submit(&again, "job.1", &model("")).await, Ok(id.clone()));
    assert_eq!(again.creates(), 0, "the create of the earlier process is the only one");
    clock.advance(GENERATION / 2);
    assert!(whole(again.fetch(&task(&id)).await.unwrap()).await.starts_with(b"glTF"));
}

#[tokio::test]
async fn the_same_request_gives_the_same_file() {
    let (provider, _clock, _folder) = sandbox();
    let mut files = Vec::new();
    for key in ["one.1", "other.1"] {
        let id = submit(&provider, key, &model("")).await.unwrap();
        files.push(whole(provider.fetch(&task(&id)).await.unwrap()).await);
    }
    assert_eq!(files[0], files[1]);
}

#[tokio::test]
async fn words_of_trouble_end_a_generation_for_good() {
    let (provider, clock, _folder) = sandbox();
    let cases = [("sandbox:fail", Ending::Failed), ("sandbox:reject", Ending::Rejected)];
    for (number, (word, ending)) in cases.into_iter().enumerate() {
        for (kind, spec) in [video(&format!("a lighthouse {word}")), model(word)].iter().enumerate() {
            let id = submit(&provider, &format!("job-{number}-{kind}.1"), spec).await.unwrap();
            progress(provider.poll(&task(&id)).await);
            clock.advance(GENERATION);
            assert_eq!(provider.poll(&task(&id)).await, Ok(Poll::Failed(ending)), "{word}");
        }
    }
}

#[tokio::test]
async fn a_flaky_generation_works_the_third_time() {
    let (provider, clock, _folder) = sandbox();
    let mut polls = Vec::new();
    for create in 1..=3 {
        let id = submit(&provider, &format!("job.{create}"), &model("sandbox:flaky")).await.unwrap();
        clock.advance(GENERATION);
        polls.push(provider.poll(&task(&id)).await.unwrap());
    }
    let failed = Poll::Failed(Ending::Transient);
    assert_eq!(polls, [failed.clone(), failed, Poll::Ready { charged: None }]);
}

#[tokio::test]
async fn a_slow_generation_takes_the_time_that_it_was_told() {
    let (provider, clock, _folder) = sandbox();
    for (word, takes) in [("sandbox:slow=60", 60), ("sandbox:slow=1", 1)] {
        let id = submit(&provider, &format!("job-{takes}.1"), &video(word)).await.unwrap();
        clock.advance(Duration::from_millis(takes * 1_000 - 1));
        assert!(progress(provider.poll(&task(&id)).await) > 0.9);
        clock.advance(Duration::from_millis(1));
        assert_eq!(provider.poll(&task(&id)).await, Ok(Poll::Ready { charged: None }), "{word}");
    }
}

#[tokio::test]
async fn no_time_at_all_is_ready_at_once() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(ManualClock::new(0)));
    let provider = SandboxProvider::new(folder.path(), clock, Duration::ZERO).unwrap();
    let id = submit(&provider, "job.1", &model("")).await.unwrap();
    assert_eq!(provider.poll(&task(&id)).await, Ok(Poll::Ready { charged: None }));
}

#[tokio::test]
async fn a_key_that_is_no_file_name_starts_nothing() {
    let (provider, _clock, folder) = sandbox();
    for key in ["../escaped", "a/b", "", "a..b"] {
        let refused = submit(&provider, key, &model("")).await;
        assert!(matches!(refused, Err(ProviderError::NotStarted { .. })), "{key:?}: {refused:?}");
    }
    assert!(names(&folder).is_empty());
    assert!(!folder.path().parent().unwrap().join("escaped.json").exists());
}
