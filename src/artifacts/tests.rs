use super::*;
use crate::domain::{JobId, ServiceId};
use futures_util::stream;

fn store() -> (ArtifactStore, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (ArtifactStore::on_disk(dir.path()).unwrap(), dir)
}

fn source(chunks: &[&[u8]]) -> ByteStream {
    let chunks: Vec<_> = chunks.iter().map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    stream::iter(chunks).boxed()
}

fn name() -> ArtifactName {
    ArtifactName::new(ServiceId::Video, [7; 16])
}

async fn read(store: &ArtifactStore, range: Option<GetRange>) -> Vec<u8> {
    let content = store.result(&name(), range).await.unwrap();
    let chunks: Vec<Bytes> = content.stream.try_collect().await.unwrap();
    chunks.concat()
}

#[tokio::test]
async fn a_result_is_written_and_read_in_parts() {
    let (store, _dir) = store();
    let size = store.put_result(&name(), source(&[b"\0\0\0\x10ft", b"ypisom", b"data"]), 100).await.unwrap();
    assert_eq!(size, 16);
    assert_eq!(read(&store, None).await, b"\0\0\0\x10ftypisomdata");
    assert_eq!(read(&store, Some(GetRange::Bounded(4..8))).await, b"ftyp");
    store.delete_result(name().as_str()).await.unwrap();
    store.delete_result(name().as_str()).await.unwrap();
    assert!(matches!(store.result(&name(), None).await, Err(ArtifactError::NotFound)));
}

#[tokio::test]
async fn nothing_is_kept_of_a_bad_result() {
    let (store, dir) = store();
    let broken = stream::iter([Ok(Bytes::from_static(b"\0\0\0\x10ftypisom")), Err("cut".into())]).boxed();
    let bad: [(ByteStream, u64); 4] = [
        (source(&[b"<html>not a video</html>"]), 100),
        (source(&[b"\0\0\0\x10ftypisom", &[0; 100]]), 50),
        (source(&[b"short"]), 100),
        (broken, 100),
    ];
    for (source, limit) in bad {
        assert!(store.put_result(&name(), source, limit).await.is_err());
        assert!(matches!(store.result(&name(), None).await, Err(ArtifactError::NotFound)));
    }
    sweep_half_written(dir.path()).unwrap();
    let left = std::fs::read_dir(dir.path().join(RESULTS)).map_or(0, Iterator::count);
    assert_eq!(left, 0);
}

#[tokio::test]
async fn leftovers_of_a_crash_are_swept() {
    let (crashed, dir) = store();
    let [needed, orphan, fresh] = [1, 2, 3].map(|byte| JobId::new(0, [byte; 10]).to_string());
    crashed.put_input(&needed, Bytes::from_static(b"1")).await.unwrap();
    crashed.put_input(&orphan, Bytes::from_static(b"2")).await.unwrap();
    crashed.put_input("somebody else's", Bytes::from_static(b"3")).await.unwrap();
    crashed.put_result(&name(), source(&[b"\0\0\0\x10ftypisom"]), 100).await.unwrap();
    std::fs::write(dir.path().join(INPUTS).join("half#1"), b"x").unwrap();

    let store = ArtifactStore::on_disk(dir.path()).unwrap();
    // Written before the sweep comes to it, and in no row yet.
    store.put_input(&fresh, Bytes::from_static(b"4")).await.unwrap();
    let swept = sweep_leftovers(&store, |file| file == needed, |_| async { Ok::<_, String>(false) }).await.unwrap();
    assert_eq!(swept, 2);
    assert_eq!(sweep_half_written(dir.path()).unwrap(), 1);
    for (name, kept) in [(&*needed, true), (&*fresh, true), ("somebody else's", true), (&*orphan, false)] {
        assert_eq!(store.input(name).await.is_ok(), kept, "{name}");
    }
}

#[test]
fn only_names_of_ours_are_read() {
    assert_eq!(ArtifactName::parse(name().as_str()), Some(name()));
    for bad in ["", "a.mp4", "../../etc/passwd", &format!("{}.exe", "0".repeat(32)), &"0".repeat(32)] {
        assert!(ArtifactName::parse(bad).is_none(), "{bad}");
    }
}
