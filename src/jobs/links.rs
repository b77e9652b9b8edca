//! Paths that this gateway gives to one party and to nobody else: to providers, where their webhooks go and where an image
//! is; to the holder of a credential, where a refund is claimed.
//!
//! Each is signed, so that nobody finds one by guessing and none has to be written down. What they name is internal; a
//! provider learns nothing from it that opens anything of a caller's.

use subtle::ConstantTimeEq as _;

use crate::config::{GatewayKey, KeyRing};
use crate::domain::JobId;

/// Bytes of a signature: 128 bits.
const MAC_BYTES: usize = 16;

/// Makes and reads the paths.
#[derive(Debug)]
pub struct Links {
    /// Newest first.
    keys: Vec<GatewayKey>,
}

impl Links {
    /// Paths that are good for as long as the key of the ring that signed them stays in it.
    #[must_use]
    pub fn new(ring: &KeyRing) -> Self {
        let own = |key: &GatewayKey| GatewayKey::new(key.derive("satforge links", b""));
        Self { keys: ring.all().iter().map(own).collect() }
    }

    /// The path of the webhooks about the create number `seq` of a job.
    #[must_use]
    pub fn webhook(&self, job: JobId, seq: i64) -> String {
        format!("/webhooks/{}", self.sign("webhook", &format!("{job}.{seq}")))
    }

    /// What a path's last part says, if it was signed here.
    #[must_use]
    pub fn read_webhook(&self, name: &str) -> Option<(JobId, i64)> {
        let (job, seq) = self.read("webhook", name)?.split_once('.')?;
        Some((JobId::parse(job).ok()?, seq.parse().ok()?))
    }

    /// The path of a job's image, which is served until `expires_at`, in Unix milliseconds.
    #[must_use]
    pub fn input(&self, job: JobId, expires_at: i64) -> String {
        format!("/inputs/{}", self.sign("input", &format!("{job}.{expires_at}")))
    }

    /// What a path's last part says at `now`, if it was signed here and is still good.
    #[must_use]
    pub fn read_input(&self, name: &str, now: i64) -> Option<JobId> {
        let (job, expires_at) = self.read("input", name)?.split_once('.')?;
        expires_at.parse::<i64>().is_ok_and(|expires_at| now <= expires_at).then(|| JobId::parse(job).ok())?
    }

    /// The name under which a job's refund can be claimed until `expires_at`, in Unix milliseconds.
    #[must_use]
    pub fn refund(&self, job: JobId, expires_at: i64) -> String {
        self.sign("refund", &format!("{job}.{expires_at}"))
    }

    /// The job whose refund a name is for and when it expires, in Unix milliseconds, if it was signed here.
    #[must_use]
    pub fn read_refund(&self, name: &str) -> Option<(JobId, i64)> {
        let (job, expires_at) = self.read("refund", name)?.split_once('.')?;
        Some((JobId::parse(job).ok()?, expires_at.parse().ok()?))
    }

    /// What a wallet repeats when it claims the refund of that name (`k1` of LUD-03): 64 hexadecimal characters.
    #[must_use]
    pub fn k1(&self, name: &str) -> String {
        self.keys.first().map(|key| hex::encode(key.derive("refund k1", name.as_bytes()))).unwrap_or_default()
    }

    /// Whether `presented` is what [`Links::k1`] gave for `name`, with any key of the ring.
    #[must_use]
    pub fn is_k1(&self, name: &str, presented: &str) -> bool {
        let mut bytes = [0; 32];
        hex::decode_to_slice(presented, &mut bytes).is_ok()
            && self.keys.iter().any(|key| key.derive("refund k1", name.as_bytes()).ct_eq(&bytes).into())
    }

    fn sign(&self, purpose: &str, text: &str) -> String {
        let mac = self.keys.first().map(|key| mac(key, purpose, text)).unwrap_or_default();
        format!("{text}.{}", hex::encode(mac))
    }

    fn read<'n>(&self, purpose: &str, name: &'n str) -> Option<&'n str> {
        let (text, presented) = name.rsplit_once('.')?;
        let mut bytes = [0; MAC_BYTES];
        hex::decode_to_slice(presented, &mut bytes).ok()?;
        self.keys.iter().any(|key| mac(key, purpose, text).ct_eq(&bytes).into()).then_some(text)
    }
}

fn mac(key: &GatewayKey, purpose: &str, text: &str) -> [u8; MAC_BYTES] {
    let whole = key.derive(purpose, text.as_bytes());
    std::array::from_fn(|at| whole[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(seeds: &[u8]) -> Links {
        Links::new(&KeyRing::new(seeds.iter().map(|seed| GatewayKey::new([*seed; 32])).collect()).unwrap())
    }

    fn last(path: &str) -> &str {
        path.rsplit('/').next().unwrap()
    }

    #[test]
    fn what_was_signed_is_read_back_by_every_key_of_the_ring() {
        let (old, rotated) = (links(&[1]), links(&[2, 1]));
        let job = JobId::new(1, [7; 10]);
        assert_eq!(rotated.read_webhook(last(&old.webhook(job, 3))), Some((job, 3)));
        assert_eq!(rotated.read_input(last(&old.input(job, 1_000)), 1_000), Some(job));
        assert_eq!(links(&[2]).read_webhook(last(&old.webhook(job, 3))), None);
        assert_eq!(links(&[2]).read_input(last(&old.input(job, 1_000)), 1_000), None);
    }

    #[test]
    fn nothing_about_a_path_can_be_changed() {
        let links = links(&[1]);
        let job = JobId::new(1, [7; 10]);
        let (hook, input) = (links.webhook(job, 1), links.input(job, 1_000));
        let (hook, input) = (last(&hook), last(&input));
        assert_eq!(links.read_input(input, 1_001), None, "its time is over");
        assert_eq!(links.read_input(hook, 0), None, "a path is good for one purpose");
        assert_eq!(links.read_webhook(input), None);
        assert_eq!(links.read_webhook(&hook.replacen(".1.", ".2.", 1)), None);
        assert_eq!(links.read_input(&input.replacen("1000", "9000", 1), 0), None);
        let cut = &hook[..hook.len() - 2];
        for wrong in [cut, "", ".", "..", &format!("{hook}00"), &hook.to_uppercase()[..hook.len() - 1]] {
            assert_eq!(links.read_webhook(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_refund_is_claimed_with_what_its_name_was_given() {
        let (old, rotated, other) = (links(&[1]), links(&[2, 1]), links(&[3]));
        let job = JobId::new(1, [7; 10]);
        let name = old.refund(job, 1_000);
        assert_eq!(rotated.read_refund(&name), Some((job, 1_000)));
        assert_eq!(other.read_refund(&name), None);
        assert_eq!(old.read_refund(&name.replacen("1000", "9000", 1)), None);
        assert_eq!(old.read_refund(last(&old.input(job, 1_000))), None, "a name is good for one purpose");
        let k1 = old.k1(&name);
        assert!(k1.len() == 64 && rotated.is_k1(&name, &k1) && !other.is_k1(&name, &k1));
        assert!(!old.is_k1(&old.refund(job, 1_001), &k1) && !old.is_k1(&name, "") && !old.is_k1(&name, &k1[..62]));
    }

    #[test]
    fn the_same_path_comes_out_again() {
        let job = JobId::new(1, [7; 10]);
        assert_eq!(links(&[1]).input(job, 5), links(&[1]).input(job, 5));
    }
}
